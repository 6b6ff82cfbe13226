//! A queue of numbers, smallest first, in steps that hardly grow with its size: a tree of bits, 64 to a word.
//!
//! What waits is known by its rank among all that can wait. Where a heap compares some fifteen times to give its smallest
//! of a hundred thousand, this looks at three words.

/// Numbers below a size that is fixed at the start.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The first level has a bit for each number; each above has one for each word below that is not zero.
    levels: Vec<Vec<u64>>,
}

const BITS: u32 = u64::BITS;

impl Queue {
    pub fn new(size: usize) -> Queue {
        let mut levels = Vec::new();
        let mut words = size;
        loop {
            words = words.div_ceil(BITS as usize).max(1);
            levels.push(vec![0; words]);
            if words == 1 {
                return Queue { levels };
            }
        }
    }

    pub fn push(&mut self, number: u32) {
        let mut at = number;
        for level in &mut self.levels {
            let word = &mut level[(at / BITS) as usize];
            let was_empty = *word == 0;
            *word |= 1 << (at % BITS);
            if !was_empty {
                return;
            }
            at /= BITS;
        }
    }

    /// Takes the smallest out.
    pub fn pop(&mut self) -> Option<u32> {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let word = level[at as usize];
            if word == 0 {
                return None; // only at the top
            }
            at = at * BITS + word.trailing_zeros();
        }
        let number = at;
        for level in &mut self.levels {
            let word = &mut level[(at / BITS) as usize];
            *word &= !(1 << (at % BITS));
            if *word != 0 {
                break;
            }
            at /= BITS;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_gives_the_smallest_as_an_ordered_set_does(
            size in prop::sample::select(vec![1_u32, 2, 63, 64, 65, 4096, 4097, 300_000]),
            steps in prop::collection::vec(prop::option::weighted(0.6, any::<u32>()), 0..200),
        ) {
            let (mut queue, mut set) = (Queue::new(size as usize), BTreeSet::new());
            for step in steps {
                match step {
                    Some(number) => {
                        queue.push(number % size);
                        set.insert(number % size);
                    }
                    None => prop_assert_eq!(queue.pop(), set.pop_first()),
                }
            }
            while let Some(least) = set.pop_first() {
                prop_assert_eq!(queue.pop(), Some(least));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }
}
