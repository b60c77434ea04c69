//! Min-cost flow by successive shortest paths, on a graph whose nodes are numbered in an order that its edges follow.

use std::{cmp::Reverse, collections::BinaryHeap};

#[derive(Debug, Default)]
pub(super) struct Network {
    /// Each edge is followed by its reverse.
    edges: Vec<Edge>,
    /// The edges that leave each node.
    leaving: Vec<Vec<u32>>,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    to: u32,
    capacity: u32,
    cost: i64,
}

/// Far above every number of instances.
pub(super) const UNLIMITED: u32 = u32::MAX / 2;

impl Network {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            edges: Vec::new(),
            leaving: vec![Vec::new(); nodes],
        }
    }

    /// Adds an edge to a node of a larger number; returns its number.
    pub(super) fn edge(&mut self, from: usize, to: usize, capacity: u32, cost: i64) -> usize {
        debug_assert!(from < to);
        let number = self.edges.len();
        for (from, to, capacity, cost) in [(from, to, capacity, cost), (to, from, 0, -cost)] {
            // Four edges for each recording: far below 2^32 in any memory.
            self.leaving[from].push(u32::try_from(self.edges.len()).unwrap_or(u32::MAX));
            let to = u32::try_from(to).unwrap_or(u32::MAX);
            self.edges.push(Edge { to, capacity, cost });
        }
        number
    }

    /// Whether something flows over an edge of capacity one.
    pub(super) fn is_used(&self, edge: usize) -> bool {
        self.edges[edge].capacity == 0
    }

    /// Sends as much from the first node to the last as makes it cheaper, and returns the cost.
    pub(super) fn minimize(&mut self) -> i64 {
        let nodes = self.leaving.len();
        let mut potential = self.first_potentials();
        let mut total = 0;
        loop {
            // With the potentials all costs are zero or more, and the shortest path to each node has length zero or more.
            let mut distance = vec![i64::MAX; nodes];
            let mut by = vec![u32::MAX; nodes];
            let mut queue = BinaryHeap::from([Reverse((0, 0))]);
            distance[0] = 0;
            while let Some(Reverse((far, node))) = queue.pop() {
                if far > distance[node] {
                    continue;
                }
                for &number in &self.leaving[node] {
                    let edge = self.edges[number as usize];
                    let to = edge.to as usize;
                    if edge.capacity == 0 || potential[to] == i64::MAX {
                        continue;
                    }
                    let next = far + edge.cost + potential[node] - potential[to];
                    if next < distance[to] {
                        distance[to] = next;
                        by[to] = number;
                        queue.push(Reverse((next, to)));
                    }
                }
            }
            for (potential, distance) in potential.iter_mut().zip(distance) {
                if distance < i64::MAX {
                    *potential += distance;
                }
            }
            let length = potential[nodes - 1] - potential[0];
            if length >= 0 {
                return total;
            }
            total += length;
            let mut node = nodes - 1;
            while node > 0 {
                let number = by[node] as usize;
                self.edges[number].capacity -= 1;
                self.edges[number ^ 1].capacity += 1;
                node = self.edges[number ^ 1].to as usize;
            }
        }
    }

    /// The lengths of the shortest paths while nothing flows.
    fn first_potentials(&self) -> Vec<i64> {
        let mut distance = vec![i64::MAX; self.leaving.len()];
        distance[0] = 0;
        for node in 0..distance.len() {
            let here = distance[node];
            if here == i64::MAX {
                continue;
            }
            for &number in &self.leaving[node] {
                let edge = self.edges[number as usize];
                if edge.capacity > 0 {
                    let to = &mut distance[edge.to as usize];
                    *to = (*to).min(here + edge.cost);
                }
            }
        }
        distance
    }
}
