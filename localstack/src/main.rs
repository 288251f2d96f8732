//! The server of one machine.

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    // First, and before anything else is set up: this program is also the last step into the sandbox.
    if arguments.next().is_some_and(|first| first == localstack::sandbox::INIT) {
        localstack::sandbox::init_main(arguments);
    }
}
