//! The ready tasks, best first, by overlap class.
//!
//! A rank says all about order (SPEC 3.4): the smaller, the sooner. Within a class only the best can matter, so a
//! choice looks at one head per class, not at every task.

use super::overlap::{ClassIx, Overlap};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

pub(super) type Rank = u32;

#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    by_class: Vec<BinaryHeap<Reverse<Rank>>>,
    /// The best of each class that has any.
    heads: BTreeSet<(Rank, ClassIx)>,
    len: usize,
}

impl Ready {
    pub(super) fn new(classes: usize) -> Ready {
        Ready { by_class: vec![BinaryHeap::new(); classes], ..Ready::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, rank: Rank, class: ClassIx) {
        let heap = &mut self.by_class[class as usize];
        let head = heap.peek().map(|Reverse(rank)| *rank);
        heap.push(Reverse(rank));
        self.len += 1;
        if head.is_none_or(|head| rank < head) {
            if let Some(head) = head {
                self.heads.remove(&(head, class));
            }
            self.heads.insert((rank, class));
        }
    }

    /// Takes the best that may start. Passes over a better one only for a task that does not delay it.
    ///
    /// Looks at one head per class: in the worst case (`--parallel=stories`, every story waiting for one task that
    /// runs alone) that is the number of stories, never the number of tasks.
    pub(super) fn pick(&mut self, overlap: &mut Overlap) -> Option<Rank> {
        let mut best = None;
        for &(rank, class) in &self.heads {
            if overlap.may_start(class) {
                best = Some((rank, class));
                break;
            }
            if overlap.wait(class) {
                break;
            }
        }
        overlap.clear_waiting();
        let (rank, class) = best?;
        self.heads.remove(&(rank, class));
        let heap = &mut self.by_class[class as usize];
        heap.pop();
        self.len -= 1;
        if let Some(Reverse(next)) = heap.peek() {
            self.heads.insert((*next, class));
        }
        Some(rank)
    }

    /// The ranks of the heads, best first.
    pub(super) fn heads(&self) -> impl Iterator<Item = Rank> + '_ {
        self.heads.iter().map(|(rank, _)| *rank)
    }
}
