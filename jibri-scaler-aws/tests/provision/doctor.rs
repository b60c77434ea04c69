//! What was provisioned is sound.

use jibri_scaler_aws::doctor::Doctor;
use jibri_scaler_core::{native::Growth, policy::MinIdle};

use crate::fixture::{group, options, provisioned};

#[test]
fn the_doctor_finds_nothing_in_a_group_that_was_provisioned() {
    let current = provisioned(group(), &options());
    let growth = Growth::new(&MinIdle::new(3).unwrap(), 20, 1).unwrap();
    let doctor = Doctor::default().with_growth(growth);
    assert_eq!(doctor.examine(&current.setup), []);
    assert_ne!(doctor.examine(&group().setup), []);
}
