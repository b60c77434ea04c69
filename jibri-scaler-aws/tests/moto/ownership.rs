//! Two controllers see each other by their marks.

use std::time::{Duration, SystemTime};

use jibri_scaler_aws::Ownership;
use jibri_scaler_core::{Timestamp, port::GroupOwnership};

use crate::fixture;

#[tokio::test]
async fn the_second_controller_sees_the_first_and_the_first_sees_itself_as_alone() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 2, 0).await;
    let of = |name: &str| Ownership::new(group.clone(), name.parse().unwrap());
    let now = Timestamp::from(SystemTime::now());
    let (first, second) = (of("first"), of("second"));
    assert!(second.others(now).await.unwrap().is_empty());
    first.mark(now).await.unwrap();
    assert_eq!(second.others(now).await.unwrap(), ["controller `first`"]);
    assert!(first.others(now).await.unwrap().is_empty());
    let later = now + Duration::from_mins(4);
    assert!(
        second.others(later).await.unwrap().is_empty(),
        "it is stale"
    );
}
