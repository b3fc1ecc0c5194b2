//! For tests: the same work on several numbers of threads.

/// What `run` gives, which has to be the same on each of these numbers of threads.
pub(super) fn on_threads<T: PartialEq + Send, const N: usize>(counts: [usize; N], run: impl Fn() -> T + Sync) -> T {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut runs = counts.into_iter().map(|threads| (threads, pool(threads).install(&run)));
    let (_, first) = runs.next().unwrap();
    runs.for_each(|(threads, other)| assert!(other == first, "another result on {threads} threads"));
    first
}
