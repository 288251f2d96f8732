use std::os::unix::process::CommandExt;

fn main() {
    let python = std::env::var("BENCH_PYTHON").expect("BENCH_PYTHON");
    let script = std::env::var("BENCH_BOOTSTRAP").expect("BENCH_BOOTSTRAP");
    panic!("{}", std::process::Command::new(python).arg(script).exec());
}
