//! Pages in a real browser, without a network and without a screen. Skipped, loudly, where there is none
//! (`scripts/browser.sh` installs one). With `PEERLEARN_SHOTS=DIR` pages and pictures of them stay in that directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use peerlearn::event::{NodeEvent, Stamped};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_testnet::compare::compare;
use peerlearn_testnet::report::write_report;
use peerlearn_testnet::watch::{Source, serve};

use crate::sample::Sample;

/// Markup that would run, were it ever read as markup.
const HOSTILE: &str = " <img src=x onerror=document.documentElement.dataset.broken=1>";
/// Notes in the page how much wider it is than a telephone.
const MEASURE: &str = "<style>html{width:390px}</style><script>document.documentElement.dataset.wider=\
                       Math.max(0,...[...document.querySelectorAll('section')].map(s=>s.scrollWidth-s.clientWidth))</script>";

struct Browser {
    program: String,
    profile: tempfile::TempDir,
}

impl Browser {
    fn find(test: &str) -> Option<Self> {
        let named = std::env::var("PEERLEARN_BROWSER").ok();
        let usual = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
        let works = |program: &String| Command::new(program).arg("--version").output().is_ok();
        let Some(program) = named.into_iter().chain(usual).find(works) else {
            eprintln!("SKIPPED: {test} was not run: no chromium here; scripts/browser.sh installs one");
            return None;
        };
        Some(Self { program, profile: tempfile::tempdir().unwrap() })
    }

    fn command(&self, size: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
        command.args(["--virtual-time-budget=6000", &format!("--window-size={size}")]);
        command.arg(format!("--user-data-dir={}", self.profile.path().display()));
        command
    }

    /// The document after its scripts ran.
    fn document(&self, address: &str, size: &str) -> String {
        let output = self.command(size).args(["--dump-dom", address]).output().unwrap();
        let document = String::from_utf8_lossy(&output.stdout).into_owned();
        let root = document.split_once('>').map_or("", |(root, _)| root).to_owned()
            + document.split_once("<html").map_or("", |(_, rest)| rest.split_once('>').map_or("", |(root, _)| root));
        assert!(root.contains("data-ready=\"1\""), "the page did not come to its end: {root}");
        assert!(!root.contains("data-errors"), "{root}");
        assert!(!root.contains("data-broken"), "text was read as markup");
        document
    }

    /// A picture for people, where they want some.
    fn picture(&self, address: &str, name: &str, size: &str, scheme: &str) {
        let Some(folder) = std::env::var_os("PEERLEARN_SHOTS").map(PathBuf::from) else { return };
        std::fs::create_dir_all(&folder).unwrap();
        let scheme = format!("--blink-settings=preferredColorScheme={}", if scheme == "dark" { 0 } else { 1 });
        let shot = format!("--screenshot={}", folder.join(name).display());
        assert!(self.command(size).args([&scheme, &shot, address]).status().unwrap().success());
    }
}

fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn curves(document: &str) -> usize {
    document.matches("class=\"line\" d=\"M").count()
}

#[test]
fn a_report_draws_itself() {
    let Some(browser) = Browser::find("a_report_draws_itself") else { return };
    let folder = tempfile::tempdir().unwrap();
    Sample { salt: HOSTILE, ..Sample::default() }.write(folder.path());
    let path = write_report(folder.path()).unwrap();
    let document = browser.document(&address(&path), "1200,900");
    // Best, mean and worst; disagreement; bytes; peers up.
    assert_eq!(curves(&document), 6);
    assert_eq!(document.matches("class=\"band\" d=\"M").count(), 4);
    assert!(document.contains("starts again from its checkpoint") && document.contains("&lt;img"));
    assert!(document.contains("ordered pairs met") && document.contains("models mixed lately"));
    assert!(document.contains("standard deviation over peers") && document.contains("classes on average"));
    assert!(document.contains("✗ no") && document.contains("✓ yes"));
}

#[test]
fn a_report_of_a_cut_run_fits_a_telephone_and_says_that_it_was_cut() {
    let Some(browser) = Browser::find("a_report_of_a_cut_run") else { return };
    let folder = tempfile::tempdir().unwrap();
    Sample { cut: true, seeds: 1, ..Sample::default() }.write(folder.path());
    let path = write_report(folder.path()).unwrap();
    let page = std::fs::read_to_string(&path).unwrap().replace("</body>", &format!("{MEASURE}</body>"));
    std::fs::write(&path, page).unwrap();
    let document = browser.document(&address(&path), "500,900");
    assert!(document.contains("This run did not come to its end"));
    assert!(document.contains("data-wider=\"0\""), "a part is wider than 390 pixels");
    assert!(curves(&document) >= 6);
}

#[test]
fn a_comparison_draws_itself() {
    let Some(browser) = Browser::find("a_comparison_draws_itself") else { return };
    let folder = tempfile::tempdir().unwrap();
    let runs = ["slow", "fast"].map(|name| folder.path().join(name));
    Sample { speed: 0.4, ..Sample::default() }.write(&runs[0]);
    Sample::default().write(&runs[1]);
    let path = folder.path().join("compare.html");
    std::fs::write(&path, compare(&runs).unwrap().page()).unwrap();
    let document = browser.document(&address(&path), "1200,900");
    assert_eq!(curves(&document), 4);
    assert!(document.contains("this is more than chance"));
    browser.picture(&address(&path), "compare.png", "1200,1900", "light");
}

#[test]
fn pages_have_their_pictures_taken() {
    if std::env::var_os("PEERLEARN_SHOTS").is_none() {
        return;
    }
    let Some(browser) = Browser::find("pages_have_their_pictures_taken") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, peers, seconds) in [("small", 20, 60), ("large", 100, 600)] {
        let round_ms = seconds * 10;
        let run = folder.path().join(name);
        Sample { peers, seconds, round_ms, ..Sample::default() }.write(&run);
        let path = write_report(&run).unwrap();
        let kept = PathBuf::from(std::env::var_os("PEERLEARN_SHOTS").unwrap());
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::copy(&path, kept.join(format!("{name}.html"))).unwrap();
        let frame = folder.path().join("frame.html");
        let inside = address(&path);
        let text = format!(
            "<body style='margin:0'><iframe src='{inside}' style='border:0;width:390px;height:6400px'></iframe>"
        );
        std::fs::write(&frame, text).unwrap();
        for scheme in ["light", "dark"] {
            browser.picture(&address(&path), &format!("{name}-desktop-{scheme}.png"), "1200,5200", scheme);
            browser.picture(&address(&frame), &format!("{name}-phone-{scheme}.png"), "500,6400", scheme);
        }
    }
}

#[test]
fn the_page_of_a_large_run_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    Sample { peers: 100, seconds: 600, round_ms: 2000, seeds: 1, ..Sample::default() }.write(folder.path());
    let path = write_report(folder.path()).unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    eprintln!("100 peers, 10 minutes: {bytes} bytes");
    assert!(bytes < 5_000_000, "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_page_follows_files_of_events_of_strangers() {
    let Some(browser) = Browser::find("a_live_page_follows_files_of_events") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (node, name) in [(1u8, "ant"), (2, "eve<img src=x onerror=document.documentElement.dataset.broken=1>")] {
        let event =
            |at_ms, event| serde_json::to_string(&Stamped { at_ms, node: PeerId([node; 32]), event }).unwrap() + "\n";
        let text = event(0, NodeEvent::Started { task: TaskId([0; 32]), round: 0 })
            + &event(900, NodeEvent::PeerConnected { peer: PeerId([3 - node; 32]), dialled: true })
            + "{\"half\": \"line";
        // A name with a slash is none; everything else may be one.
        std::fs::write(folder.path().join(format!("{}.jsonl", name.replace('/', "_"))), text).unwrap();
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(Source::events(folder.path()).unwrap(), listener));
    let document = tokio::task::spawn_blocking(move || browser.document(&address, "1200,900")).await.unwrap();
    assert!(document.contains(">live</span>") && document.contains("2 of 2 peers up, 1 connections"), "{document}");
    server.abort();
}
