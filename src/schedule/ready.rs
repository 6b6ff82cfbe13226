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
    /// The best of each class that has any, but for the best of all ...
    heads: BTreeSet<(Rank, ClassIx)>,
    /// ... which stands here: where there is one class, there is no tree to change.
    best: Option<(Rank, ClassIx)>,
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
                self.remove_head((head, class));
            }
            self.insert_head((rank, class));
        }
    }

    /// A ready task now belongs to another class, perhaps a new one. Linear in the tasks ready in its old class; a class
    /// changes only when attempts were found to be at odds.
    pub(super) fn change_class(&mut self, rank: Rank, from: ClassIx, to: ClassIx) {
        let heap = &mut self.by_class[from as usize];
        let head = heap.peek().map(|Reverse(rank)| *rank);
        heap.retain(|Reverse(other)| *other != rank);
        self.len -= 1;
        if head == Some(rank) {
            let next = heap.peek().map(|Reverse(next)| (*next, from));
            self.replace_head((rank, from), next);
        }
        self.push(rank, to);
    }

    /// There are so many classes now.
    pub(super) fn make_room(&mut self, classes: usize) {
        self.by_class.resize(self.by_class.len().max(classes), BinaryHeap::new());
    }

    fn insert_head(&mut self, head: (Rank, ClassIx)) {
        match self.best {
            Some(best) if best < head => {
                self.heads.insert(head);
            }
            best => {
                self.heads.extend(best);
                self.best = Some(head);
            }
        }
    }

    fn remove_head(&mut self, head: (Rank, ClassIx)) {
        if self.best == Some(head) {
            self.best = self.heads.pop_first();
        } else {
            self.heads.remove(&head);
        }
    }

    /// The head of a class gives way to the next of its class.
    fn replace_head(&mut self, head: (Rank, ClassIx), next: Option<(Rank, ClassIx)>) {
        let stays_best = |next| self.heads.first().is_none_or(|other| next < *other);
        match next.filter(|next| self.best == Some(head) && stays_best(*next)) {
            Some(next) => self.best = Some(next),
            None => {
                self.remove_head(head);
                next.into_iter().for_each(|next| self.insert_head(next));
            }
        }
    }

    /// Takes the best that may start. Passes over a better one only for a task that does not delay it.
    ///
    /// Looks at one head per class: in the worst case (`--parallel=stories`, every story waiting for one task that
    /// runs alone) that is the number of stories, never the number of tasks.
    /// What `is_open` says no to is not there: it delays nobody.
    pub(super) fn pick(
        &mut self,
        overlap: &mut Overlap,
        is_open: impl Fn(&Overlap, ClassIx) -> bool,
    ) -> Option<Rank> {
        let mut best = None;
        for &(rank, class) in self.best.iter().chain(&self.heads) {
            if !is_open(overlap, class) {
                continue;
            }
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
        let heap = &mut self.by_class[class as usize];
        heap.pop();
        self.len -= 1;
        let next = heap.peek().map(|Reverse(next)| (*next, class));
        self.replace_head((rank, class), next);
        Some(rank)
    }

    /// The classes that have any.
    pub(super) fn classes(&self) -> impl Iterator<Item = ClassIx> + '_ {
        self.best.iter().chain(&self.heads).map(|(_, class)| *class)
    }

    /// The ranks of the heads, best first.
    pub(super) fn heads(&self) -> impl Iterator<Item = Rank> + '_ {
        self.best.iter().chain(&self.heads).map(|(rank, _)| *rank)
    }
}
