use std::{net::SocketAddr, time::Duration};

use super::{Jwt, Version};

/// How one fake Jibri is set up.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_http::fake::Profile;
///
/// let profile = Profile::default()
///     .with_chrome_start(Duration::from_secs(2))
///     .with_single_use(true);
/// assert_eq!(profile.finalize, Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// What webhooks name as the sender. Default: empty, as in Jibri.
    pub jibri_id: String,
    /// From the start of the process until the internal API listens and Jicofo can select it. Default 3 s.
    pub internal_api_after: Duration,
    /// From the start of the process until the external API listens. Default 5 s.
    pub external_api_after: Duration,
    /// From the acceptance of a session until Chrome runs and BUSY is published. Default 4 s.
    pub chrome_start: Duration,
    /// How long the finalize script runs. Default 10 s.
    pub finalize: Duration,
    /// Whether it is EXPIRED after a session. Default `false`.
    pub single_use: bool,
    /// What happens after its process has ended. Default: systemd as the Debian package sets it up.
    pub supervisor: Supervisor,
    /// What becomes of the recording in the finalize script. Jibri itself does not care. Default: it is uploaded.
    pub upload: Upload,
    /// Who receives its webhooks. Default: nobody.
    pub webhooks: WebhookReceiver,
    /// The token that its webhooks carry. Default: none.
    pub jwt: Option<Jwt>,
    /// Whether it serves `/metrics`, beside its external API. Default `false`.
    pub prometheus: bool,
    /// Where a [`FakeServer`](super::FakeServer) sends the counters of statsd. Default: nowhere, whereas a Jibri sends them to
    /// `localhost:8125` unless it is told not to.
    pub statsd: Option<SocketAddr>,
    /// Whether the first `stopService` of each session is a 500 that stops nothing, as was seen in 2020. Default `false`.
    pub first_stop_fails: bool,
    /// Which Jibri it is. Default: the latest. An option that it does not know yet has no effect.
    pub version: Version,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            jibri_id: String::new(),
            internal_api_after: Duration::from_secs(3),
            external_api_after: Duration::from_secs(5),
            chrome_start: Duration::from_secs(4),
            finalize: Duration::from_secs(10),
            single_use: false,
            supervisor: Supervisor::Systemd {
                restart_after: Duration::from_millis(100),
            },
            upload: Upload::InFinalize,
            webhooks: WebhookReceiver::None,
            jwt: None,
            prometheus: false,
            statsd: None,
            first_stop_fails: false,
            version: Version::LATEST,
        }
    }
}

macro_rules! with {
    ($($name:ident: $type:ty, $with:ident;)+) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub fn $with(mut self, value: $type) -> Self {
            self.$name = value;
            self
        }
    )+};
}

impl Profile {
    /// One whose APIs listen from the first moment.
    #[must_use]
    pub fn booted() -> Self {
        Self::default()
            .with_internal_api_after(Duration::ZERO)
            .with_external_api_after(Duration::ZERO)
    }

    with! {
        jibri_id: String, with_jibri_id;
        internal_api_after: Duration, with_internal_api_after;
        external_api_after: Duration, with_external_api_after;
        chrome_start: Duration, with_chrome_start;
        finalize: Duration, with_finalize;
        single_use: bool, with_single_use;
        supervisor: Supervisor, with_supervisor;
        upload: Upload, with_upload;
        webhooks: WebhookReceiver, with_webhooks;
        jwt: Option<Jwt>, with_jwt;
        prometheus: bool, with_prometheus;
        statsd: Option<SocketAddr>, with_statsd;
        first_stop_fails: bool, with_first_stop_fails;
        version: Version, with_version;
    }

    pub(super) fn receiver(&self) -> WebhookReceiver {
        if self.version >= Version::WEBHOOKS {
            self.webhooks
        } else {
            WebhookReceiver::None
        }
    }
}

/// What happens after the process of a Jibri has ended.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_http::fake::{Profile, Supervisor};
///
/// let container = Supervisor::Always { restart_after: Duration::from_secs(1) };
/// let profile = Profile::default().with_supervisor(container);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Supervisor {
    /// `Restart=always` with `RestartPreventExitStatus=255`: an exit with 255 stays down.
    Systemd {
        /// How long after its end it is started again.
        restart_after: Duration,
    },
    /// s6 in a container with `restart: "no"`: an exit with 255 ends the container, and after any other s6 starts Jibri again in
    /// place.
    S6 {
        /// How long after its end it is started again.
        restart_after: Duration,
    },
    /// Restarts it after every end, as `restart: unless-stopped` does with a container.
    Always {
        /// How long after its end it is started again.
        restart_after: Duration,
    },
    /// Nobody restarts it.
    None,
}

/// What becomes of a recording in the finalize script of a Jibri, which takes no notice of it.
///
/// ```
/// use jibri_scaler_http::fake::{Profile, Upload};
///
/// let profile = Profile::default().with_upload(Upload::Fails);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upload {
    /// The script uploads it before it returns.
    InFinalize,
    /// There is no script, or it fails.
    Fails,
    /// The script leaves the upload to a process of its own, which dies with the Jibri.
    Detached {
        /// How long the upload takes after the script has returned.
        takes: Duration,
    },
}

/// Who receives the webhooks of a Jibri.
///
/// ```
/// use jibri_scaler_http::fake::{Profile, WebhookReceiver};
///
/// let profile = Profile::default().with_webhooks(WebhookReceiver::Answers);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookReceiver {
    /// There are no subscribers: no webhooks.
    None,
    /// It answers at once with 200.
    Answers,
    /// It answers at once with something else, which Jibri logs; nothing else is different.
    AnswersError,
    /// It refuses the connection. What follows a change of status is then skipped: a start fails and leaves BUSY behind, an error
    /// of the machine does not stop the session, a stop is a 500. So is what follows the end of a session over HTTP, which then
    /// stays, with BUSY, until it is stopped. The webhooks of every minute end.
    Refuses,
    /// It never answers: each change of status takes 2 s longer, that of a start and a stop inside the lock, and as long the end of
    /// a session over HTTP.
    TimesOut,
}
