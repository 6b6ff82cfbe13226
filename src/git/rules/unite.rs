//! Lists of things with names: three versions of a list become one that has what either side added and lacks what
//! either removed. An entry that both changed differently has no answer here.

use std::collections::{HashMap, HashSet};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is called in its list.
    pub key: String,
    /// What it says, without what is layout only.
    pub value: String,
    /// As it is written, whole lines.
    pub text: String,
}

/// Makes one of an entry that both sides changed (or made: then there is no base).
pub(super) type Reconcile<'a> = &'a dyn Fn(Option<&Item>, &Item, &Item) -> Option<Item>;

/// For lists whose entries are whole: what both changed differently is a conflict.
pub(super) fn never(_: Option<&Item>, _: &Item, _: &Item) -> Option<Item> {
    None
}

/// None if a name stands twice in one version, or an entry was changed in two ways.
pub(super) fn unite(
    base: &[Item],
    there: &[Item],
    attempt: &[Item],
    reconcile: Reconcile<'_>,
) -> Option<Vec<Item>> {
    let (in_base, in_there, in_attempt) = (by_key(base)?, by_key(there)?, by_key(attempt)?);
    let choose = |key: &str| -> Option<Option<Item>> {
        let (b, t, a) = (in_base.get(key).copied(), in_there.get(key).copied(), in_attempt.get(key).copied());
        let value = |item: Option<&Item>| item.map(|item| item.value.clone());
        Some(match () {
            // Written differently, said the same: the one that changed the layout.
            () if value(t) == value(a) => if t == b { a } else { t }.cloned(),
            () if value(a) == value(b) => t.cloned(),
            () if value(t) == value(b) => a.cloned(),
            () => Some(reconcile(b, t?, a?)?),
        })
    };
    let mut united = Vec::with_capacity(there.len() + attempt.len());
    for item in there {
        united.push(choose(&item.key)?);
    }
    // What only the attempt has follows what it followed there, behind what came in at the same place.
    let mut following: Vec<Vec<Item>> = vec![Vec::new(); there.len() + 1];
    let place: HashMap<&str, usize> =
        there.iter().enumerate().map(|(n, item)| (item.key.as_str(), n)).collect();
    let behind_added = |mut at: usize| {
        while at < there.len() && !in_attempt.contains_key(there[at].key.as_str()) {
            at += 1;
        }
        at
    };
    let mut at = behind_added(0);
    for item in attempt {
        match place.get(item.key.as_str()) {
            Some(n) => at = behind_added(n + 1),
            None => following[at].extend(choose(&item.key)?),
        }
    }
    let mut united = united.into_iter();
    let mut list: Vec<Item> = Vec::new();
    for items in following {
        list.extend(items);
        list.extend(united.next().flatten());
    }
    if is_sorted(base) && is_sorted(there) && is_sorted(attempt) {
        list.sort_by(|one, other| one.key.cmp(&other.key));
    }
    Some(list)
}

fn is_sorted(items: &[Item]) -> bool {
    items.windows(2).all(|pair| pair[0].key <= pair[1].key)
}

fn by_key(items: &[Item]) -> Option<HashMap<&str, &Item>> {
    let map: HashMap<&str, &Item> = items.iter().map(|item| (item.key.as_str(), item)).collect();
    (map.len() == items.len()).then_some(map)
}

/// Three versions of a set of names become one, in the order they stand in. Never a contradiction.
pub(super) fn unite_names(base: &[String], there: &[String], attempt: &[String]) -> Option<Vec<String>> {
    let items = |names: &[String]| -> Vec<Item> {
        let item = |name: &String| Item { key: name.clone(), value: String::new(), text: name.clone() };
        names.iter().map(item).collect()
    };
    let united = unite(&items(base), &items(there), &items(attempt), &never)?;
    Some(united.into_iter().map(|item| item.key).collect())
}

/// True if both sides removed an entry and both added one: perhaps each changed the same one.
pub(super) fn may_be_changed_twice(base: &[Item], there: &[Item], attempt: &[Item]) -> bool {
    let keys = |items: &[Item]| -> HashSet<String> { items.iter().map(|item| item.key.clone()).collect() };
    let (base, there, attempt) = (keys(base), keys(there), keys(attempt));
    let is_gone = base.iter().any(|key| !there.contains(key) && !attempt.contains(key));
    let has_more = |side: &HashSet<String>| side.iter().any(|key| !base.contains(key));
    is_gone && has_more(&there) && has_more(&attempt)
}
