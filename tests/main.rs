//! Integration tests, linked once.

<<<<<<< HEAD
mod architecture;
mod schedule;
=======
mod projection;
>>>>>>> project
