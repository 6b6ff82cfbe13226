//! Facts that most things do not have: one word where there are none.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Facts that may be missing all together.
pub trait Facts: Default + Clone + PartialEq + 'static {
    const NONE: &'static Self;
}

/// See the module. Reading never allocates; taking it to be changed does.
#[derive(Clone, Default)]
pub struct Rare<T>(Option<Box<T>>);

impl<T: Facts> Rare<T> {
    /// Takes no room for facts that are none.
    pub fn new(facts: T) -> Rare<T> {
        Rare((facts != *T::NONE).then(|| Box::new(facts)))
    }
}

impl<T: Facts> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NONE)
    }
}

impl<T: Facts> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Facts> PartialEq for Rare<T> {
    fn eq(&self, other: &Rare<T>) -> bool {
        **self == **other
    }
}

impl<T: Facts + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
