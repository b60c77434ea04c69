use std::time::Duration;

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
    /// Who receives its webhooks. Default: nobody.
    pub webhooks: WebhookReceiver,
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
            webhooks: WebhookReceiver::None,
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
        webhooks: WebhookReceiver, with_webhooks;
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
    /// Restarts it after every end, as `restart: unless-stopped` does with a container.
    Always {
        /// How long after its end it is started again.
        restart_after: Duration,
    },
    /// Nobody restarts it.
    None,
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
    /// It answers at once.
    Answers,
    /// It refuses the connection. A start then fails and leaves BUSY behind, and the webhooks of every minute end.
    Refuses,
    /// It never answers: each change of state takes 2 s longer, inside the lock.
    TimesOut,
}
