//! One port: `GET /` is the page, `GET /data.json` its data. Nothing can be changed from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::gate::AccessGate;
use super::{Source, WatchError};
use crate::report::{Page, render};

/// Data are made anew at most this often, however many ask.
const FRESH: Duration = Duration::from_millis(1000);

/// What is served, made anew when it is asked for.
struct Shared {
    source: Arc<std::sync::Mutex<Source>>,
    newest: Mutex<Option<(Instant, Served)>>,
}

#[derive(Clone)]
struct Served {
    data: Arc<str>,
    page: Arc<str>,
}

/// Serves a source until it is dropped.
///
/// # Errors
/// The listener failed for good.
pub async fn serve(source: Source, listener: TcpListener) -> std::io::Result<()> {
    let shared = Shared { source: Arc::new(std::sync::Mutex::new(source)), newest: Mutex::new(None) };
    let router = Router::new().route("/", get(page)).route("/data.json", get(data)).with_state(Arc::new(shared));
    axum::serve(AccessGate::new(listener), router).await
}

async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let page = shared.served().await.map(|served| served.page);
    answer("text/html; charset=utf-8", page)
}

async fn data(State(shared): State<Arc<Shared>>) -> Response {
    let data = shared.served().await.map(|served| served.data);
    answer("application/json", data)
}

fn answer(kind: &'static str, body: Result<Arc<str>, String>) -> Response {
    let (status, kind, body) = match body {
        Ok(body) => (StatusCode::OK, kind, body.to_string()),
        Err(words) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", words),
    };
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}

impl Shared {
    /// What was made lately, or else is made now. Others wait for it, so it is made once.
    async fn served(&self) -> Result<Served, String> {
        let mut newest = self.newest.lock().await;
        if let Some((made, served)) = newest.as_ref()
            && made.elapsed() < FRESH
        {
            return Ok(served.clone());
        }
        let source = Arc::clone(&self.source);
        let made = tokio::task::spawn_blocking(move || make(&source)).await;
        let served = made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        *newest = Some((Instant::now(), served.clone()));
        Ok(served)
    }
}

fn make(source: &std::sync::Mutex<Source>) -> Result<Served, WatchError> {
    let mut source = source.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let data = source.data()?;
    let text = serde_json::to_string(&data).unwrap_or_else(|_| "null".to_owned());
    Ok(Served { data: text.into(), page: render(Page::Report, &data).into() })
}
