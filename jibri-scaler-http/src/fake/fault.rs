/// What is wrong with one port of a fake, on top of what its Jibri does.
///
/// ```
/// use jibri_scaler_core::{Timestamp, port::{HealthProbe as _, ProbeOutcome, Target}};
/// use jibri_scaler_http::{HttpProbe, ProbeConfig};
/// use jibri_scaler_http::addresses::LiveAddresses;
/// use jibri_scaler_http::fake::{Api, FakeJibri, FakeServer, Fault, Profile};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let fake = FakeServer::start(FakeJibri::new(Profile::booted(), Timestamp::from_secs(0)))?;
/// fake.set_fault(Api::External, Some(Fault::Status(503)))?;
///
/// let target = Target::new("i-0abc".parse()?);
/// let book = LiveAddresses::default();
/// book.insert(target.id.clone(), fake.bases().clone());
/// let probe = HttpProbe::new(book, &ProbeConfig::default())?;
/// assert_eq!(probe.probe(&target).await, ProbeOutcome::HttpStatus(503));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 200 and JSON, but no health in it.
    Garbage,
    /// Takes the request and never answers.
    Hang,
    /// Sends the headers and never the body.
    HangAfterHeaders,
    /// A readable health answer of 100 KiB.
    Oversized,
    /// Refuses the connection, as seen from outside when the API listens on loopback only.
    Refuse,
    /// Takes the request and resets the connection.
    Reset,
    /// Answers with this HTTP status.
    Status(u16),
    /// Ends the connection in the middle of the body.
    Truncated,
    /// A readable health answer that says it is HTML.
    WrongContentType,
}
