//! What a person reads when the server has started.

use std::net::SocketAddr;

use tracing::{info, warn};

use crate::config::Config;

/// Prints where it is, how user code is kept apart, and what to try.
pub(crate) fn print(address: SocketAddr, config: &Config, sandbox: &str) {
    info!(address = %format_args!("http://{address}"), data = %config.data.display(), sandbox, "Function Runner is up");
    if config.unsafe_no_sandbox {
        warn!(
            "NO SANDBOX: functions run with all the permissions of this server. Run only code that you trust"
        );
    }
    info!("1. Read the API docs:    http://{address}/docs");
    info!(
        "2. Register:             curl -d '{{\"username\":\"me_1\",\"name\":\"Me\",\"password\":\"correct horse\"}}' http://{address}/users/register"
    );
    info!(
        "3. Log in:               curl -d '{{\"username\":\"me_1\",\"password\":\"correct horse\"}}' http://{address}/users/login"
    );
}
