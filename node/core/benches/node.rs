//! Training, pulling and asking: what a node spends its time on. Run: `cargo bench -p peerlearn`

use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use peerlearn::data::{DataConfig, load};
use peerlearn::learner::{ModelFamily, TrainPlan, build};
use peerlearn::network::{Identity, NetworkConfig, NetworkEvent, NetworkHandle};
use peerlearn::runtime::clock::Clock;
use peerlearn::runtime::event::EventBus;
use peerlearn::runtime::mailbox::Mailbox;
use peerlearn::runtime::supervisor::{RestartPolicy, Supervisor};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::exchange::{ModelStore, PullOrder};
use peerlearn_protocols::id::{PeerId, Root, TaskId};
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::recipe::Training;
use peerlearn_protocols::wire::blob::{encode, encoded_len};
use peerlearn_protocols::wire::{BulkRequest, BulkStart, Publication};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};

/// Parameters of the model that is pulled: 40 MB in f32.
const PARAMETERS: usize = 10_000_000;
const TASK: TaskId = TaskId([1; 32]);

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Runtime::new().unwrap_or_else(|error| panic!("{error}"))
}

/// Twenty steps of 32 rows of the digits, with gradients clipped by their norm and not.
#[divan::bench(args = ["linear", "mlp:64,32", "cnn"], consts = [0, 2], sample_count = 30)]
fn train<const CLIP_NORM: u8>(bencher: Bencher, model: &str) {
    let clip_norm = f32::from(CLIP_NORM);
    let data = load(&DataConfig::default(), &[0; 32], None).unwrap_or_else(|error| panic!("{error}")).train;
    let family: ModelFamily = model.parse().unwrap_or_else(|error| panic!("{error}"));
    let mut learner = build(&family, data.input(), data.classes()).unwrap_or_else(|error| panic!("{error}"));
    let zeros = vec![0.0; learner.layout().len()];
    let training =
        Training { steps: 20, batch: 32, learning_rate: 0.01, momentum: 0.8, clip_norm, ..Training::default() };
    let plan = TrainPlan::new(&training, 1, 0, Some(&zeros), 1);
    bencher.counter(ItemsCount::new(20u32 * 32)).bench_local(|| learner.train(black_box(&data), &plan).is_ok());
}

struct Echo;

impl Actor for Echo {
    type Msg = RpcReplyPort<u64>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, reply: Self::Msg, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let _ = reply.send(1);
        Ok(())
    }
}

/// A question to a component and its answer, through the mailbox that handles use.
#[divan::bench(sample_count = 1000)]
fn ask_a_component(bencher: Bencher) {
    let runtime = runtime();
    let mailbox = Mailbox::new("echo");
    let spawned = runtime.block_on(Actor::spawn(None, Echo, ()));
    spawned.into_iter().for_each(|(actor, _)| mailbox.connect(actor));
    bencher.bench_local(|| runtime.block_on(mailbox.ask(|reply| reply)).is_ok());
}

/// A node's network, and what serves the questions that reach it.
struct Half {
    network: NetworkHandle,
    _supervisor: Supervisor,
}

fn layout() -> Layout {
    let tensor = TensorSpec { name: "w".to_owned(), shape: vec![PARAMETERS] };
    Layout::new(vec![tensor]).unwrap_or_else(|error| panic!("{error}"))
}

/// Holds a model, where there is one. `bare` streams are answered with its bytes at once; others as nodes do.
async fn half(held: Option<Arc<Vec<u8>>>, bare: bool) -> Half {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    let config = NetworkConfig { listen, mdns: false, ..NetworkConfig::default() };
    let (sender, mut events) = mpsc::channel(64);
    let (network, start) =
        NetworkHandle::new(config, Identity::generate(), TASK, sender).unwrap_or_else(|error| panic!("{error}"));
    let bus = EventBus::new(network.local(), Clock::start());
    let supervisor = Supervisor::spawn(vec![("network", start)], RestartPolicy::default(), Clock::start(), bus)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let mut store = ModelStore::new(TASK, 1);
    held.iter().for_each(|model| store.publish(Publication::new(Arc::clone(model), Codec::F32, 1, 1, 1)));
    let inbound = Arc::new(Semaphore::new(16));
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            match event {
                NetworkEvent::Asked { request, reply, .. } => reply.answer(&store.answer(&request)),
                NetworkEvent::BulkAsked { request, writer, .. } if !bare => {
                    if let Some((blob, range)) = store.open(&request) {
                        peerlearn::peer::send(writer, blob, range, &inbound);
                    }
                }
                NetworkEvent::BulkAsked { mut writer, .. } => {
                    let _ = writer.start(BulkStart::Sending).await;
                    let _ = writer.write(held.as_deref().map_or(&[], |bytes| bytes)).await;
                    let _ = writer.finish().await;
                }
                _ => {}
            }
        }
    });
    Half { network, _supervisor: supervisor }
}

fn model() -> Vec<u8> {
    let params: Vec<f32> = (0..PARAMETERS as u32).map(|n| (n % 1000) as f32 / 1000.0).collect();
    encode(Codec::F32, &layout(), &params).unwrap_or_else(|error| panic!("{error}"))
}

fn order() -> PullOrder {
    PullOrder {
        task: TASK,
        codec: Codec::F32,
        bytes: encoded_len(Codec::F32, &layout()),
        least_age: 0,
        resumes: 3,
        compressed: false,
        checked: false,
        share: None,
        session: None,
    }
}

async fn connect(from: &Half, to: &Half) -> PeerId {
    from.network.dial(Some(to.network.local()), to.network.addresses().await);
    to.network.local()
}

/// A whole pull: question, hashes, chunks, every chunk checked.
#[divan::bench(sample_count = 10)]
fn pull(bencher: Bencher) {
    let runtime = runtime();
    let (puller, holder, peer) = runtime.block_on(async {
        let (puller, holder) = (half(None, false).await, half(Some(Arc::new(model())), false).await);
        let peer = connect(&puller, &holder).await;
        (puller, holder, peer)
    });
    bencher.counter(BytesCount::new(4 * PARAMETERS)).bench_local(|| {
        let pulled = runtime.block_on(peerlearn::peer::pull(&puller.network, peer, order()));
        pulled.unwrap_or_else(|error| panic!("{error}"))
    });
    drop(holder);
}

/// As many bytes over the same kind of libp2p stream (TCP, Noise, Yamux), neither hashed nor kept.
#[divan::bench(sample_count = 10)]
fn bare_stream(bencher: Bencher) {
    let runtime = runtime();
    let bytes = Arc::new(model());
    let length = bytes.len();
    let (puller, holder, peer) = runtime.block_on(async {
        let (puller, holder) = (half(None, false).await, half(Some(bytes), true).await);
        let peer = connect(&puller, &holder).await;
        // The first question waits for the connection.
        let question = peerlearn_protocols::wire::Request::Newest { task: TASK, codec: Codec::F32 };
        let _ = puller.network.request(peer, question).await;
        (puller, holder, peer)
    });
    let mut chunk = vec![0; 256 * 1024];
    bencher.counter(BytesCount::new(4 * PARAMETERS)).bench_local(|| {
        runtime.block_on(async {
            let request = BulkRequest { root: Root([0; 32]), first: 0, count: 1 };
            let mut reader = puller.network.open_bulk(peer, request).await.unwrap_or_else(|error| panic!("{error}"));
            let mut left = length;
            while left > 0 {
                let step = left.min(chunk.len());
                reader.read(&mut chunk[..step]).await.unwrap_or_else(|error| panic!("{error}"));
                left -= step;
            }
        });
    });
    drop(holder);
}

/// As many bytes over a plain TCP socket, for scale.
#[divan::bench(sample_count = 10)]
fn plain_tcp(bencher: Bencher) {
    let runtime = runtime();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap_or_else(|e| panic!("{e}"));
    let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
    let bytes = model();
    let length = bytes.len();
    runtime.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(&bytes).await;
        }
    });
    let mut chunk = vec![0; 256 * 1024];
    bencher.counter(BytesCount::new(4 * PARAMETERS)).bench_local(|| {
        runtime.block_on(async {
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap_or_else(|e| panic!("{e}"));
            let mut read = 0;
            while read < length {
                read += socket.read(&mut chunk).await.unwrap_or_else(|error| panic!("{error}"));
            }
        });
    });
}
