//! The pool's slots: who runs in which, and the lowest that is free.

use crate::task::TaskIx;

/// Slots are numbered from 1; a timeline draws one as a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    /// One bit per slot, 1 is taken.
    taken: Vec<u64>,
    who: Vec<Option<TaskIx>>,
    len: u32,
}

impl Slots {
    /// Takes the lowest free slot.
    pub(super) fn take(&mut self, task: TaskIx) -> u32 {
        let word = self.taken.iter().position(|word| *word != u64::MAX).unwrap_or_else(|| {
            self.taken.push(0);
            self.who.resize(self.taken.len() * 64, None);
            self.taken.len() - 1
        });
        let bit = self.taken[word].trailing_ones();
        self.taken[word] |= 1 << bit;
        let slot = word as u32 * 64 + bit + 1;
        self.who[slot as usize - 1] = Some(task);
        self.len += 1;
        slot
    }

    pub(super) fn give_back(&mut self, slot: u32) {
        let (word, bit) = ((slot - 1) / 64, (slot - 1) % 64);
        self.taken[word as usize] &= !(1 << bit);
        self.who[slot as usize - 1] = None;
        self.len -= 1;
    }

    /// How many are taken.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Slot and task, by slot.
    pub(super) fn running(&self) -> impl Iterator<Item = (u32, TaskIx)> + '_ {
        self.who.iter().enumerate().filter_map(|(n, task)| Some((n as u32 + 1, (*task)?)))
    }

    /// The task in `slot` has a new position.
    pub(super) fn rename(&mut self, slot: u32, task: TaskIx) {
        self.who[slot as usize - 1] = Some(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_slot_is_taken_first() {
        let mut slots = Slots::default();
        let taken: Vec<u32> = (0..130).map(|n| slots.take(TaskIx(n))).collect();
        assert_eq!(taken, (1..131).collect::<Vec<u32>>());
        slots.give_back(70);
        slots.give_back(3);
        assert_eq!(slots.len(), 128);
        assert_eq!([7, 8, 9].map(|n| slots.take(TaskIx(n))), [3, 70, 131]);
        assert_eq!(slots.running().nth(2), Some((3, TaskIx(7))));
    }
}
