//! moto, installed once and started once for this test binary.

use std::{
    collections::hash_map::DefaultHasher,
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::{Credentials, SharedCredentialsProvider};
use jibri_scaler_aws::{AutoScalingGroup, GroupName};

const FRONT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto/front.py");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto/requirements.txt");

/// Where it listens. The server ends when the pipe to its standard input closes, which is when this process ends.
static SERVER: LazyLock<(u16, Child)> = LazyLock::new(start);

/// A configuration that reaches moto, for one test: an HTTP client belongs to the runtime of its test.
pub(crate) fn sdk() -> SdkConfig {
    sdk_in("eu-central-1")
}

/// The same in a region of its own, for tests that make what moto keeps by its name alone, whatever the group: scaling policies.
pub(crate) fn sdk_in(region: &'static str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .endpoint_url(format!("http://127.0.0.1:{}", SERVER.0))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// A name that no other test has.
pub(crate) fn unique_name() -> GroupName {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("group-{number}").parse().unwrap()
}

/// Makes a group of its own for a test.
pub(crate) async fn group(sdk: &SdkConfig, min: i32, max: i32, desired: i32) -> AutoScalingGroup {
    let name = unique_name();
    let client = aws_sdk_autoscaling::Client::new(sdk);
    client
        .create_launch_configuration()
        .launch_configuration_name(name.as_str())
        .image_id("ami-12345678")
        .instance_type("t3.small")
        .send()
        .await
        .unwrap();
    client
        .create_auto_scaling_group()
        .auto_scaling_group_name(name.as_str())
        .launch_configuration_name(name.as_str())
        .availability_zones(format!("{}a", sdk.region().unwrap()))
        .min_size(min)
        .max_size(max)
        .desired_capacity(desired)
        .send()
        .await
        .unwrap();
    patient(AutoScalingGroup::new(sdk, name).unwrap())
}

/// moto is slow on a loaded machine, and its time is not what is tested.
pub(crate) fn patient(group: AutoScalingGroup) -> AutoScalingGroup {
    group.with_timeout(Duration::from_mins(1))
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

fn python() -> Python {
    for program in ["python3", "python"] {
        let Ok(output) = Command::new(program).arg("--version").output() else {
            continue;
        };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && version.starts_with("Python 3") {
            return Python { program, version };
        }
    }
    panic!(
        "the tests against moto need Python 3.11 or newer: install it so that `python3 --version` works, and run them again"
    );
}

/// Installs the pinned packages, unless they are there. Test binaries of several builds may do so at once.
fn packages(python: &Python) -> PathBuf {
    let requirements = fs::read_to_string(REQUIREMENTS).unwrap();
    let mut pins = DefaultHasher::new();
    (&requirements, &python.version).hash(&mut pins);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(root).unwrap();
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
