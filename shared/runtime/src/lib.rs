//! What wraps user code, in both homes: the check when it is saved, the Python and Node shims, what is packaged for
//! Lambda, the frames that the local pool speaks, and what is read of the answers of code that is not to be trusted.

pub mod check;
pub mod envelope;
pub mod environment;
pub mod output;
pub mod package;
pub mod printed;
pub mod protocol;
