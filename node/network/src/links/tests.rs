use futures::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn link(delay_ms: u64, loss: f64) -> LinkShape {
    LinkShape { delay_us: (delay_ms * 1000, delay_ms * 1000), loss, ..LinkShape::default() }
}

#[test]
fn a_lost_packet_costs_one_timeout_however_many_were_lost_with_it() {
    let sure = || 0.0;
    assert_eq!(link(10, 0.0).hold(5000, sure), Duration::from_millis(10));
    assert_eq!(link(10, 0.5).hold(5000, sure), Duration::from_millis(210));
    assert_eq!(link(500, 0.5).hold(1, sure), Duration::from_millis(1500));
}

#[tokio::test]
async fn the_bucket_lets_through_what_the_rate_says_and_no_more() {
    let links = Links::new(LinkTable { rate: Some(1_000_000), ..LinkTable::default() });
    let began = Instant::now();
    let mut sent = 0;
    while sent < 100_000 {
        match links.take(100_000 - sent) {
            Ok(taken) => sent += taken,
            Err(wait) => tokio::time::sleep(wait).await,
        }
    }
    // 100 kB at 1 MB/s less one burst of 20 kB; a slow machine only takes longer.
    assert!(began.elapsed() >= Duration::from_millis(75), "{:?}", began.elapsed());
    assert_eq!(Links::default().take(1 << 30), Ok(1 << 30), "no limit, no bucket");
}

const PEER: PeerId = PeerId([7; 32]);

fn shaped<S>(inner: S, links: &Links) -> stream::ShapedStream<S> {
    stream::ShapedStream::new(inner, PEER, links.clone(), 1)
}

#[tokio::test]
async fn delayed_bytes_arrive_late_whole_and_in_order() {
    let sent: Vec<u8> = (0..50_000u32).map(|n| n as u8).collect();
    let links = Links::new(LinkTable { usual: link(30, 0.3), ..LinkTable::default() });
    let began = Instant::now();
    let mut received = Vec::new();
    shaped(futures::io::Cursor::new(sent.clone()), &links).read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    assert!(began.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn a_cut_link_stalls_until_it_is_mended() {
    let cut = LinkShape { mute: true, deaf: true, ..LinkShape::default() };
    let links = Links::new(LinkTable { peers: [(PEER, cut)].into(), ..LinkTable::default() });
    let mut reader = shaped(futures::io::Cursor::new(vec![1, 2, 3]), &links);
    let mut writer = shaped(Vec::new(), &links);
    let mut bytes = [0; 3];
    assert!(futures::poll!(std::pin::pin!(reader.read_exact(&mut bytes))).is_pending());
    assert!(futures::poll!(std::pin::pin!(writer.write_all(b"abc"))).is_pending());
    let mended = links.clone();
    tokio::spawn(async move { mended.set(LinkTable::default()) });
    reader.read_exact(&mut bytes).await.unwrap();
    writer.write_all(b"abc").await.unwrap();
    assert_eq!(bytes, [1, 2, 3]);
}
