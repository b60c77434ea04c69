//! Which instance this is, also while its metadata are out of reach.

use std::{error::Error, fs, path::Path, time::Duration};

use jibri_scaler_aws::{
    GroupName,
    agent::{Identity, Imds},
};
use jibri_scaler_core::InstanceId;
use serde::{Deserialize, Serialize};
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{
    arguments::Arguments,
    beside::{beside, boot_id},
    durable, say,
};

/// The metadata are tried again after so long at first,
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// and after no more than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What was found out is written down within this, or not.
const REMEMBERS_WITHIN: Duration = Duration::from_secs(4);

/// What was found out. It holds until the machine is booted again: then it may be another one, made of an image of this.
#[derive(Deserialize, PartialEq, Serialize)]
struct Remembered {
    boot: String,
    instance: InstanceId,
    region: String,
    group: Option<String>,
}

/// Which instance this is: as the command line says, else as the metadata do, else as they did when they could last be read since the
/// machine was booted. Where none of them says it the metadata are tried again and again, since an agent that gives up does not even
/// listen.
pub(crate) async fn find(arguments: &Arguments, imds: &Imds) -> Identity {
    if let Some(identity) = arguments.identity() {
        return identity;
    }
    let path = beside(&arguments.latch, "identity");
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match imds.identity().await {
            Ok(identity) => {
                // A disk that hangs must not keep it from its work.
                let _ = timeout(REMEMBERS_WITHIN, remember(&path, &identity)).await;
                return identity;
            }
            Err(error) => error.report(),
        };
        if let Some(identity) = remembered(&path) {
            say(format_args!(
                "{error}; going on as instance {}, as which it was known before",
                identity.instance_id
            ));
            return identity;
        }
        say(format_args!(
            "{error}; trying again in {pause:?}. Where there are no metadata give --instance-id, --region and --group"
        ));
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

fn read(path: &Path) -> Option<Remembered> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remembered(path: &Path) -> Option<Identity> {
    let found = read(path).filter(|found| Some(&found.boot) == boot_id().as_ref())?;
    let mut identity = Identity::new(found.instance, found.region);
    identity.group = found.group.map(|name| name.parse()).transpose().ok()?;
    Some(identity)
}

/// An agent that can't write it down does its work all the same.
async fn remember(path: &Path, identity: &Identity) {
    let Some(boot) = boot_id() else { return };
    let group = identity.group.as_ref().map(GroupName::to_string);
    let found = Remembered {
        boot,
        instance: identity.instance_id.clone(),
        region: identity.region.to_string(),
        group,
    };
    if read(path).as_ref() == Some(&found) {
        return;
    }
    let written = write(path, &found).await;
    if let Err(error) = written {
        say(format_args!(
            "could not write down which instance this is in {}, so that the next agent needs the metadata: {error}",
            path.display()
        ));
    }
}

async fn write(path: &Path, found: &Remembered) -> Result<(), Box<dyn Error>> {
    let (path, text) = (path.to_owned(), serde_json::to_vec(found)?);
    Ok(spawn_blocking(move || durable::replace(&path, &text)).await??)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let mut identity = Identity::new("i-a".parse().unwrap(), "eu-central-1");
        identity.group = Some("jibri".parse().unwrap());
        identity
    }

    #[tokio::test]
    async fn what_was_found_out_is_known_until_the_next_boot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latch.identity");
        assert_eq!(remembered(&path), None);
        remember(&path, &identity()).await;
        assert_eq!(remembered(&path), Some(identity()));
        // It is written only when it changes.
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        remember(&path, &identity()).await;
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);

        // An image that was made of the machine while it ran boots as another one.
        let mut other = read(&path).unwrap();
        other.boot = "another".into();
        write(&path, &other).await.unwrap();
        assert_eq!(remembered(&path), None);
        for nonsense in ["", "{}", "[1]"] {
            fs::write(&path, nonsense).unwrap();
            assert_eq!(remembered(&path), None, "{nonsense}");
        }
    }

    #[tokio::test]
    async fn where_nothing_can_be_written_the_agent_goes_on() {
        remember(Path::new("/nowhere/latch.identity"), &identity()).await;
    }
}
