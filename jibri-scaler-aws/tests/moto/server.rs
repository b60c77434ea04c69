//! moto, installed once and started once for a test binary. The tests of the agent in `examples` use it too.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

/// From the crate and from the examples alike, which lie side by side.
const FRONT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../jibri-scaler-aws/tests/moto/front.py"
);
const REQUIREMENTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../jibri-scaler-aws/tests/moto/requirements.txt"
);

/// Where it listens. The server ends when the pipe to its standard input closes, which is when this process ends.
static SERVER: LazyLock<(u16, Child)> = LazyLock::new(start);

/// The port on loopback at which it listens.
pub(crate) fn port() -> u16 {
    SERVER.0
}

fn start() -> (u16, Child) {
    let python = python();
    let mut server = Command::new(python.program)
        .arg(FRONT)
        .env("PYTHONPATH", packages(&python))
        .env("PYTHONNOUSERSITE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("could not start {FRONT}: {error}"));
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().parse().unwrap_or_else(|_| {
        panic!("{FRONT} printed no port but {line:?}; what it wrote to standard error stands above")
    });
    (port, server)
}

struct Python {
    program: &'static str,
    version: String,
}

/// What the pinned packages need.
const OLDEST: (u32, u32) = (3, 11);

fn python() -> Python {
    let mut too_old = Vec::new();
    for program in [
        "python3",
        "python",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ] {
        let Ok(output) = Command::new(program).arg("--version").output() else {
            continue;
        };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && is_new_enough(&version) {
            return Python { program, version };
        }
        too_old.push(format!("`{program}` is {version}"));
    }
    let found = match too_old.as_slice() {
        [] => "there is none".to_owned(),
        some => some.join(", "),
    };
    panic!(
        "the tests against moto need Python 3.11 or newer, but {found}: install a newer one so that `python3 --version` says so, and \
         run them again"
    );
}

/// Whether that is what `python --version` prints where it is new enough.
fn is_new_enough(printed: &str) -> bool {
    let numbers = printed.strip_prefix("Python ").unwrap_or_default();
    let mut numbers = numbers.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

#[test]
fn only_a_python_that_the_packages_run_on_is_taken() {
    for new_enough in [
        "Python 3.11.0",
        "Python 3.13.2+",
        "Python 3.14.0rc1",
        "Python 4.0",
    ] {
        assert!(is_new_enough(new_enough), "{new_enough}");
    }
    for other in [
        "Python 3.10.12",
        "Python 2.7.18",
        "Python",
        "pyenv: python3: command not found",
        "",
    ] {
        assert!(!is_new_enough(other), "{other}");
    }
}

/// Installs the pinned packages, unless they are there. Test binaries of several builds may do so at once.
fn packages(python: &Python) -> PathBuf {
    let requirements = fs::read_to_string(REQUIREMENTS).unwrap();
    let mut pins = DefaultHasher::new();
    (&requirements, &python.version).hash(&mut pins);
    let root = temporary();
    fs::create_dir_all(&root).unwrap();
    let installed = root.join(format!("moto-{:016x}", pins.finish()));
    let lock = File::create(root.join("moto.lock")).unwrap();
    lock.lock().unwrap();
    if !installed.exists() {
        let partial = root.join("moto.partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).unwrap();
        }
        install(python, &partial);
        fs::write(
            partial.join("installed.txt"),
            format!("{}\n{requirements}", python.version),
        )
        .unwrap();
        fs::rename(&partial, &installed).unwrap();
    }
    lock.unlock().unwrap();
    installed
}

/// Cargo says where to integration tests only. The tests of an example are at `target/debug/examples/name`.
fn temporary() -> PathBuf {
    option_env!("CARGO_TARGET_TMPDIR").map_or_else(
        || {
            let this = env::current_exe().unwrap();
            this.ancestors().nth(3).unwrap().join("tmp")
        },
        PathBuf::from,
    )
}

fn install(python: &Python, target: &Path) {
    let output = Command::new(python.program)
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--requirement", REQUIREMENTS])
        .arg("--target")
        .arg(target)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "could not install moto for the tests with `{} -m pip install --target {} --requirement {REQUIREMENTS}` under {}: see \
         that pip is installed, that Python is 3.11 or newer and that pip reaches a package index, and run the tests again. pip \
         said:\n{}",
        python.program,
        target.display(),
        python.version,
        String::from_utf8_lossy(&output.stderr),
    );
}
