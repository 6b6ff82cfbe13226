//! Ticking while editors save: no edit is lost, no byte damaged, and every tick is there in the end.
