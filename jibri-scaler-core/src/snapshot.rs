//! The group as it was seen in one tick.

use serde::{Deserialize, Serialize};

use crate::{Instance, InstanceId};

/// The bounds and the desired capacity of an Auto Scaling group.
///
/// ```
/// use jibri_scaler_core::Group;
///
/// let group = Group::new(2, 20, 5);
/// assert!(!group.safe_retirement, "a way to retire must be found out, not assumed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Group {
    /// The group never has a lower desired capacity than this.
    pub min_size: u32,
    /// The group never has a higher desired capacity than this.
    pub max_size: u32,
    /// How many instances the group is to have.
    pub desired: u32,
    /// Whether instances of this group may be retired at all. Where `false`, the group only grows.
    pub safe_retirement: bool,
}

impl Group {
    /// A group with these numbers, whose instances may not be retired.
    #[must_use]
    pub const fn new(min_size: u32, max_size: u32, desired: u32) -> Self {
        Self {
            min_size,
            max_size,
            desired,
            safe_retirement: false,
        }
    }
}

/// The group and its instances as they were seen in one tick.
///
/// The instances are kept in the order of their ids, and rows that say the same of the same instance are one row (a listing that
/// is read page by page can name an instance twice). Rows of one id that differ are kept: such an instance counts as unknown.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Instance, Lifecycle};
///
/// let b = Instance::new("i-b".parse()?, Lifecycle::InService);
/// let a = Instance::new("i-a".parse()?, Lifecycle::Pending);
/// let snapshot = FleetSnapshot::new(Group::new(1, 5, 2), vec![b.clone(), a, b]);
/// assert_eq!(snapshot.instances().len(), 2);
/// assert_eq!(snapshot.instances()[0].id.as_str(), "i-a");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetSnapshot {
    group: Group,
    instances: Vec<Instance>,
    /// Whether no id has more than one row.
    distinct: bool,
    refused: Option<u32>,
}

impl FleetSnapshot {
    /// A snapshot of these instances, in any order.
    #[must_use]
    pub fn new(group: Group, mut instances: Vec<Instance>) -> Self {
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        let distinct = |rows: &[Instance]| rows.windows(2).all(|pair| pair[0].id != pair[1].id);
        if !distinct(&instances) {
            for rows in instances.chunk_by_mut(|a, b| a.id == b.id) {
                // So that equal rows stand side by side, and others in one order however they were listed. They are rare, so a slow
                // but total order will do.
                if rows.len() > 1 {
                    rows.sort_by_cached_key(|row| format!("{row:?}"));
                }
            }
            instances.dedup();
        }
        let distinct = distinct(&instances);
        Self {
            group,
            instances,
            distinct,
            refused: None,
        }
    }

    /// The same with the number of recordings that were refused since the tick before for want of an idle Jibri, where somebody
    /// counts them: the increase of Jicofo's `jibri_no_instance_failures_total`.
    #[must_use]
    pub const fn with_refused(mut self, refused: u32) -> Self {
        self.refused = Some(refused);
        self
    }

    /// The recordings that were refused since the tick before; absent where nobody counts them.
    #[must_use]
    pub const fn refused(&self) -> Option<u32> {
        self.refused
    }

    /// A snapshot of instances that are known to be in the order of their ids, with one row each.
    #[cfg(feature = "sim")]
    pub(crate) fn of_sorted(group: Group, instances: Vec<Instance>) -> Self {
        debug_assert!(instances.windows(2).all(|pair| pair[0].id < pair[1].id));
        Self {
            group,
            instances,
            distinct: true,
            refused: None,
        }
    }

    /// The bounds and the desired capacity.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// All rows, in the order of their ids.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The rows of each id, in the order of the ids.
    pub(crate) fn by_id(&self) -> impl Iterator<Item = &[Instance]> {
        let mut rest = self.instances.as_slice();
        std::iter::from_fn(move || {
            let first = rest.first()?;
            let same = if self.distinct {
                1
            } else {
                rest.iter().take_while(|row| row.id == first.id).count()
            };
            let (rows, others) = rest.split_at(same);
            rest = others;
            Some(rows)
        })
    }

    /// The rows of one id: none, one, or several that contradict each other.
    #[must_use]
    pub fn rows(&self, id: &InstanceId) -> &[Instance] {
        let start = self.instances.partition_point(|row| row.id < *id);
        let count = self.instances[start..]
            .iter()
            .take_while(|row| row.id == *id)
            .count();
        &self.instances[start..start + count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lifecycle;

    fn row(id: &str, lifecycle: Lifecycle) -> Instance {
        Instance::new(id.parse().unwrap(), lifecycle)
    }

    #[test]
    fn the_order_of_the_rows_makes_no_difference() {
        let rows = [
            row("b", Lifecycle::InService),
            row("a", Lifecycle::Pending),
            row("b", Lifecycle::Standby),
            row("b", Lifecycle::InService),
        ];
        let first = FleetSnapshot::new(Group::new(0, 9, 2), rows.to_vec());
        let mut turned = rows.to_vec();
        turned.reverse();
        assert_eq!(first, FleetSnapshot::new(Group::new(0, 9, 2), turned));
        assert_eq!(first.instances().len(), 3);
        assert_eq!(first.rows(&"b".parse().unwrap()).len(), 2);
        assert_eq!(first.rows(&"c".parse().unwrap()).len(), 0);
    }
}
