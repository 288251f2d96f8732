//! What the pool's tests start workers with, in place of the server's program.

fn main() {
    pool::take_part_if_asked();
}
