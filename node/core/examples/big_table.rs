//! Makes a table of any size, reads it as a node does and trains on it, and says how fast and in how much memory.
//! See scripts/big-table.sh.
//!
//! `big_table make PATH GIGABYTES` writes a CSV of numbers, categories and gaps; `big_table run PATH CACHE MIB` reads it with at
//! most so many MiB of encoded rows in memory, encoded rows in the folder CACHE otherwise, and prints one line of JSON.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use peerlearn::data::task::Charter;
use peerlearn::data::{Check, DataConfig, Dataset, Known, Loaded, check, load};
use peerlearn::learner::{Learner, ModelFamily, build, initial_weights};
use peerlearn_protocols::recipe::{TrainPlan, Training};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Columns of numbers, of which every seventh has gaps, and of categories.
const NUMBERS: usize = 40;
const CATEGORIES: usize = 4;
const WORDS: [&str; 6] = ["amber", "birch", "cedar", "dune", "ember", "fjord"];
/// Bytes of rows that are drawn; larger tables repeat them, as drawing takes longer than reading.
const BLOCK_BYTES: usize = 100_000_000;
/// Steps of a round, rows of a minibatch.
const STEPS: u32 = 2000;
const BATCH: usize = 256;
const ROUNDS: u64 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", path, gigabytes] => make(Path::new(path), gigabytes.parse()?),
        ["run", path, cache, memory] => run(Path::new(path), cache, memory.parse()?),
        _ => Err("big_table make PATH GIGABYTES, or big_table run PATH CACHE MIB".into()),
    }
}

fn make(path: &Path, gigabytes: f64) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let names =
        (0..NUMBERS).map(|column| format!("n{column}")).chain((0..CATEGORIES).map(|column| format!("c{column}")));
    writeln!(out, "{},label", names.collect::<Vec<_>>().join(","))?;
    let (mut rng, mut block, mut left) = (ChaCha8Rng::seed_from_u64(1), Vec::new(), (gigabytes * 1e9) as usize);
    while block.len() < BLOCK_BYTES {
        row(&mut rng, &mut block)?;
    }
    while left > 0 {
        let some = left.min(block.len());
        let whole = block[..some].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        out.write_all(&block[..whole])?;
        left = if some < block.len() { 0 } else { left - some };
    }
    Ok(out.flush()?)
}

fn row(rng: &mut ChaCha8Rng, out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut score = 0.0;
    for column in 0..NUMBERS {
        let value: f64 = rng.random::<f64>() + rng.random::<f64>() - 1.0;
        score += if column % 3 == 0 { value } else { -0.3 * value };
        if column % 7 != 6 || !rng.random_bool(0.05) {
            write!(out, "{:.4}", value * 10f64.powi((column % 4) as i32))?;
        }
        out.push(b',');
    }
    for column in 0..CATEGORIES {
        let word = rng.random_range(0..WORDS.len());
        score += if word == column { 0.5 } else { 0.0 };
        write!(out, "{},", WORDS[word])?;
    }
    out.extend_from_slice(if score > 0.3 { b"yes\n" } else { b"no\n" });
    Ok(())
}

/// The most memory that this process had, in MiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib >> 10)
}

/// Seconds of processor time of this process: what is measured beside others says more so.
fn processor() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in brackets; user and system time, in hundredths.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
}

/// What was measured, as it is printed.
#[derive(Default)]
struct Figures(Vec<String>);

impl Figures {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push(format!("\"{name}\": {value}"));
    }

    /// Seconds of some work, the rows of it a second, and the peak of memory by then.
    fn time<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(T, usize), Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
        let (begin, before) = (Instant::now(), processor().unwrap_or(0.0));
        let (answer, rows) = work()?;
        let seconds = begin.elapsed().as_secs_f64();
        self.add(&format!("{name}_s"), format!("{seconds:.1}"));
        self.add(&format!("{name}_cpu_s"), format!("{:.1}", processor().unwrap_or(0.0) - before));
        self.add(&format!("{name}_rows_s"), format!("{:.0}", rows as f64 / seconds));
        self.add(&format!("{name}_peak_mib"), peak().unwrap_or(0));
        Ok(answer)
    }
}

fn run(path: &Path, cache: &str, memory: u64) -> Result<(), Box<dyn Error>> {
    let source = path.display().to_string();
    let config = DataConfig { source, memory, cache: cache.to_owned(), validation: 0.01, ..DataConfig::default() };
    let rows = |loaded: &Loaded| loaded.train.len() + loaded.validation.as_ref().map_or(0, Dataset::len);
    let mut figures = Figures::default();
    figures.add("bytes", std::fs::metadata(path)?.len());
    // Without a task the file is read twice: to find out what its columns are, and to encode it.
    let first =
        figures.time("survey_and_encode", || load(&config, &[0; 32], None).map(counted(rows)).map_err(Into::into))?;
    figures.add("rows", rows(&first));
    let preprocessing = first.preprocessing.clone();
    drop(first);
    let charter = Charter::default();
    let known = Known { preprocessing: &preprocessing, charter: &charter };
    let loaded =
        figures.time("second_start", || load(&config, &[0; 32], Some(known)).map(counted(rows)).map_err(Into::into))?;
    figures.add("stored", loaded.train.is_stored());
    let mut learner = model(&loaded.train)?;
    for round in 1..=ROUNDS {
        let training = Training { steps: STEPS, batch: BATCH, ..Training::default() };
        let plan = TrainPlan::new(&training, round, 0, None, 1);
        let name = format!("round_{round}");
        figures
            .time(&name, || Ok(learner.train(&loaded.train, &plan).map(|report| ((), report.samples as usize))?))?;
    }
    if let Some(validation) = &loaded.validation {
        let measured = figures.time("evaluate", || {
            Ok(learner.evaluate(validation).map(|measured| (measured.accuracy, measured.rows))?)
        })?;
        figures.add("accuracy", measured);
    }
    let fits: Check = figures.time("check", || Ok((check(path, &config, known)?, rows(&loaded))))?;
    figures.add("fit", fits.is_fit());
    println!("{{{}}}", figures.0.join(", "));
    Ok(())
}

fn counted<T>(rows: impl Fn(&T) -> usize) -> impl Fn(T) -> (T, usize) {
    move |value| {
        let count = rows(&value);
        (value, count)
    }
}

fn model(rows: &Dataset) -> Result<Box<dyn Learner>, Box<dyn Error>> {
    let mut learner = build(&ModelFamily::Mlp(vec![32]), rows.input(), rows.classes())?;
    let weights = initial_weights(learner.layout(), [7; 32]);
    learner.write(&weights)?;
    Ok(learner)
}
