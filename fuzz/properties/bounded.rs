//! The bounds of what may come of one input, whatever it holds.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What reading may hold at once beside what grows with the input.
const FIXED: usize = 1024 * 1024;
/// A JSON object of one member takes some 600 bytes in memory, and 7 in a text.
const PER_BYTE: usize = 256;

/// Checks the property, and that no more memory is held at once than the size of the input explains.
pub(crate) fn in_memory(input: &[u8], property: fn(&[u8])) {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    property(input);
    let held = ALLOCATED.peak_usage().saturating_sub(before);
    let allowed = FIXED + PER_BYTE * input.len();
    assert!(
        held <= allowed,
        "{held} bytes were held at once for {} of input: only {allowed} are allowed",
        input.len()
    );
}
