//! Who ran beside a task: eight names, and how many attempts in all. Small, because every task has one.

use crate::task::TaskIx;

/// Bytes of names that are held in place; more lie elsewhere.
const IN_PLACE: usize = 14;

/// Who ran beside a task: eight names, and how many attempts in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    names: Names,
    /// Attempts of other tasks that overlapped its attempts that have ended.
    before: u32,
}

impl Beside {
    pub const NAMES: usize = 8;

    /// The first eight, in the order in which they met it.
    pub fn names(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.names.iter()
    }

    /// How many there are of them.
    pub fn listed(&self) -> usize {
        self.names.len()
    }

    /// How many ran beside it. Exact for up to eight tasks; beyond, each of their attempts counts.
    pub fn count(&self) -> u32 {
        if self.is_full() { self.before.max(Beside::NAMES as u32) } else { self.listed() as u32 }
    }

    /// How many the names leave out.
    pub fn more(&self) -> u32 {
        self.count() - self.listed() as u32
    }

    pub(super) fn is_full(&self) -> bool {
        self.listed() == Beside::NAMES
    }

    pub(super) fn name(&mut self, task: TaskIx) {
        if !self.is_full() && self.names.iter().all(|known| known != task) {
            self.names.push(task);
        }
    }

    /// An attempt of it ended that so many attempts of others overlapped.
    pub(super) fn end(&mut self, others: u32) {
        self.before += others;
    }

    pub(super) fn rename(&mut self, to: impl Fn(TaskIx) -> TaskIx) {
        let renamed: Vec<TaskIx> = self.names.iter().map(to).collect();
        self.names = Names::default();
        renamed.into_iter().for_each(|task| self.names.push(task));
    }
}

/// At most [`Beside::NAMES`] tasks: the first, then each as its distance from the one before, for those who run at the same
/// time mostly stand near each other. Seven bits a byte, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    Here { len: u8, bytes: [u8; IN_PLACE] },
    There { len: u8, names: Box<[u32; Beside::NAMES]> },
}

impl Default for Names {
    fn default() -> Names {
        Names::Here { len: 0, bytes: [0; IN_PLACE] }
    }
}

impl Names {
    fn len(&self) -> usize {
        match self {
            Names::Here { len, .. } | Names::There { len, .. } => usize::from(*len),
        }
    }

    fn iter(&self) -> Iter<'_> {
        Iter { names: self, nth: 0, at: 0, last: 0 }
    }

    /// There is room for it.
    fn push(&mut self, task: TaskIx) {
        let mut all = self.iter();
        while all.next().is_some() {}
        let (at, last) = (all.at, all.last);
        match self {
            Names::There { len, names } => {
                names[usize::from(*len)] = task.0;
                *len += 1;
            }
            Names::Here { len, bytes } => {
                if write(&mut bytes[at..], zigzag(i64::from(task.0) - i64::from(last))) {
                    *len += 1;
                } else {
                    self.move_out();
                    self.push(task);
                }
            }
        }
    }

    fn move_out(&mut self) {
        let mut names = Box::new([0; Beside::NAMES]);
        names.iter_mut().zip(self.iter()).for_each(|(name, task)| *name = task.0);
        *self = Names::There { len: self.len() as u8, names };
    }
}

struct Iter<'a> {
    names: &'a Names,
    nth: usize,
    /// Where the next one begins.
    at: usize,
    last: u32,
}

impl Iterator for Iter<'_> {
    type Item = TaskIx;

    fn next(&mut self) -> Option<TaskIx> {
        if self.nth == self.names.len() {
            return None;
        }
        self.last = match self.names {
            Names::There { names, .. } => names[self.nth],
            Names::Here { bytes, .. } => {
                let (distance, length) = read(&bytes[self.at..]);
                self.at += length;
                (i64::from(self.last) + unzigzag(distance)) as u32
            }
        };
        self.nth += 1;
        Some(TaskIx(self.last))
    }
}

/// Small numbers for small distances, whatever their sign.
fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// False if there is no room for it; then nothing that counts is written.
fn write(to: &mut [u8], mut n: u64) -> bool {
    for byte in to {
        *byte = (n & 0x7f) as u8 | if n > 0x7f { 0x80 } else { 0 };
        n >>= 7;
        if n == 0 {
            return true;
        }
    }
    false
}

/// The number, and how many bytes it takes.
fn read(from: &[u8]) -> (u64, usize) {
    let (mut n, mut length) = (0, 0);
    for byte in from {
        n |= u64::from(byte & 0x7f) << (7 * length);
        length += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (n, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_near_and_far_are_given_back_in_the_order_in_which_they_came() {
        let far = [7, 3, 4_000_000_000, 0, 2_000_000_000, 1, u32::MAX, 2];
        for names in [far, [1, 2, 3, 4, 5, 6, 7, 8], [90_000, 90_001, 89_999, 90_070, 90_002, 90_100, 5, 6]] {
            let mut beside = Beside::default();
            for name in names {
                beside.name(TaskIx(name));
                beside.name(TaskIx(names[0]));
            }
            beside.name(TaskIx(77));
            assert_eq!(beside.names().map(|task| task.0).collect::<Vec<_>>(), names);
            beside.rename(|task| TaskIx(task.0 ^ 1));
            assert_eq!(beside.names().map(|task| task.0 ^ 1).collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn it_takes_three_words() {
        assert_eq!(size_of::<Beside>(), 24);
    }
}
