//! Connections that are there before they are needed.

use ports::Parts;
use tracing::warn;

/// Asks these parts (`table`, `runtime`) something at once, so that the connections that requests will use are there when
/// the first one comes. A function's start has a whole processor, and a TLS handshake takes most of what an SDK's first
/// call does. What fails here fails again, and is told, when it is needed.
pub async fn warm_up(parts: &Parts, wanted: &[impl AsRef<str>]) {
    let wanted = |part: &str| wanted.iter().any(|wanted| wanted.as_ref() == part);
    tokio::join!(
        async {
            if wanted("table")
                && let Err(error) = parts.table.health().await
            {
                warn!(%error, "the table could not be warmed up");
            }
        },
        async {
            if wanted("runtime")
                && let Err(error) = parts.runtime.health().await
            {
                warn!(%error, "the runtime could not be warmed up");
            }
        }
    );
}
