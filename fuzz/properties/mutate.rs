//! Changes inputs that were found once, at random, in a test: what can be had of fuzzing without its tools.

use std::{cell::Cell, env, fmt, fs, path::Path, time::Duration};

use cpu_time::ThreadTime;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::replay;

/// How many inputs of each target, where nobody says: few enough for a build without optimisation.
const INPUTS: u32 = 200;
/// Longer inputs are cut.
const LONGEST: usize = 8192;

/// A change to an input.
#[derive(Clone, Debug)]
enum Edit {
    /// Another byte in the place of one.
    Byte(Index, u8),
    /// What is between two places is gone,
    Delete(Index, Index),
    /// or there so often more,
    Repeat(Index, Index, u8),
    /// or replaced by this.
    Replace(Index, Index, Vec<u8>),
    /// This is there too.
    Insert(Index, Vec<u8>),
    /// From a place on it is another input, from a place in that.
    Splice(Index, Vec<u8>, Index),
}

impl Edit {
    fn apply(&self, input: &mut Vec<u8>) {
        let place = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
        let range = |from: &Index, to: &Index, bytes: &[u8]| {
            let (from, to) = (place(from, bytes), place(to, bytes));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Byte(index, byte) => {
                if !input.is_empty() {
                    let index = index.index(input.len());
                    input[index] = *byte;
                }
            }
            Self::Delete(from, to) => {
                input.drain(range(from, to, input));
            }
            Self::Repeat(from, to, times) => {
                let range = range(from, to, input);
                let more = input[range.clone()].repeat(usize::from(*times));
                input.splice(range.end..range.end, more);
            }
            Self::Replace(from, to, bytes) => {
                input.splice(range(from, to, input), bytes.iter().copied());
            }
            Self::Insert(index, bytes) => {
                let at = place(index, input);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Splice(index, other, from) => {
                input.truncate(place(index, input));
                input.extend_from_slice(&other[place(from, other)..]);
            }
        }
        input.truncate(LONGEST);
    }
}

/// The words of a dictionary of libFuzzer: one in quotation marks per line.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"));
    let path = folder.join(dictionary);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let word = |line: &str| {
        let quoted = line.strip_prefix('"')?.strip_suffix('"')?;
        let plain = quoted.replace(r#"\""#, "\"").replace(r"\x0a", "\n");
        Some(plain.replace(r"\\", r"\").into_bytes())
    };
    let words: Vec<_> = text.lines().filter_map(word).collect();
    assert!(words.len() >= 20, "{} is empty", path.display());
    words
}

fn edit(inputs: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    let bytes = prop_oneof![4 => select(words), 1 => vec(any::<u8>(), 1..8)];
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        (index(), index()).prop_map(|(from, to)| Edit::Delete(from, to)),
        (index(), index(), 1..4_u8).prop_map(|(from, to, times)| Edit::Repeat(from, to, times)),
        (index(), index(), bytes.clone()).prop_map(|(from, to, by)| Edit::Replace(from, to, by)),
        (index(), bytes).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (index(), select(inputs), index())
            .prop_map(|(at, other, from)| { Edit::Splice(at, other, from) }),
    ]
}

/// Shown as text.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Checks the property on changed files of the corpus of that target: on so many as `FUZZ_INPUTS` says, the same ones each time.
///
/// One that breaks it is made as small as it can be, and shown.
pub(crate) fn corpus(target: &str, dictionary: &str, property: fn(&[u8])) {
    let count = env::var_os("FUZZ_INPUTS").map_or(INPUTS, |count| {
        let count = count.to_string_lossy();
        count
            .parse()
            .unwrap_or_else(|_| panic!("FUZZ_INPUTS is `{count}`, but must be a whole number"))
    });
    replay::alone(|| {
        let started = ThreadTime::now();
        let longest = check(count, target, dictionary, property).as_secs_f64();
        let took = started.elapsed().as_secs_f64();
        println!(
            "fuzz: {count:>9} inputs, {took:>6.1} s, at most {:>5.1} ms for one  {target}",
            longest * 1000.0
        );
    });
}

/// Checks so many, and returns how long the one had the processor that had it for longest.
fn check(count: u32, target: &str, dictionary: &str, property: fn(&[u8])) -> Duration {
    let inputs: Vec<_> = replay::read(target).into_iter().map(|(_, it)| it).collect();
    let edits = vec(edit(inputs.clone(), words(dictionary)), 1..6);
    let changed = (select(inputs), edits).prop_map(|(mut input, edits)| {
        for edit in edits {
            edit.apply(&mut input);
        }
        Input(input)
    });
    let config = Config {
        cases: count,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let longest = Cell::new(Duration::ZERO);
    let broken = TestRunner::new_with_rng(config, rng).run(&changed, |Input(input)| {
        let took = replay::check(&input, property);
        prop_assert!(took <= replay::LIMIT, "it took {took:?}");
        longest.set(longest.get().max(took));
        Ok(())
    });
    if let Err(error) = broken {
        panic!("{target}: {error}");
    }
    longest.get()
}
