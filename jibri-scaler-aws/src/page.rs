//! Reading page after page.

use std::time::Duration;

use jibri_scaler_core::port::{PortError, PortErrorKind};

use crate::call::Deadline;

/// What one page has, and the token of the next one.
pub(crate) type Page<T> = (Vec<T>, Option<String>);

/// What all pages have. `page` reads the one of a token within the time that is left; `operation` says what is read.
///
/// # Errors
/// Where a page could not be read, the tokens go in a circle, or the pages do not end in time.
pub(crate) async fn all<T, F>(
    operation: String,
    timeout: Duration,
    page: impl Fn(Option<String>, Duration) -> F + Send,
) -> Result<Vec<T>, PortError>
where
    T: Send,
    F: Future<Output = Result<Page<T>, PortError>> + Send,
{
    let deadline = Deadline::after(timeout);
    let unreadable =
        |why: &str| PortError::new(PortErrorKind::Transient, operation.as_str()).with_source(why);
    let mut rows = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let Some(left) = deadline.remaining() else {
            return Err(unreadable("its pages did not end in time"));
        };
        let (more, next) = page(token.clone(), left).await?;
        rows.extend(more);
        // A page may be short or empty although there is another, so only the token tells.
        match next.filter(|next| !next.is_empty()) {
            None => return Ok(rows),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(unreadable(
                    "the token of the next page is the token of this one",
                ));
            }
            next => token = next,
        }
    }
}
