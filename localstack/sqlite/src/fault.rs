use ports::{PortError, TableError};
use rusqlite::ErrorCode;

/// What SQLite or the disk said when it could not.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// Whether it will say so every time (a damaged file), and not only today (a full disk).
    pub(super) lasting: bool,
    /// For the log.
    pub(super) reason: String,
}

impl Fault {
    /// A fault that may pass.
    pub(super) fn passing(reason: impl ToString) -> Self {
        Self { lasting: false, reason: reason.to_string() }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let lasting = !matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::OutOfMemory
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::OperationAborted
            )
        );
        Self { lasting, reason: error.to_string() }
    }
}

impl From<Fault> for TableError {
    fn from(fault: Fault) -> Self {
        if fault.lasting { Self::Broken(fault.reason) } else { Self::Unavailable(fault.reason) }
    }
}

impl From<Fault> for PortError {
    fn from(fault: Fault) -> Self {
        Self::new("queue", fault.reason)
    }
}

/// What a request of the table came to, and whether the batch can go on. After an item that can't be made sense of it can;
/// after an error of SQLite's, a transaction can't be trusted any more.
pub(super) fn part<T>(
    result: rusqlite::Result<Result<T, TableError>>,
) -> (Result<T, TableError>, Result<(), Fault>) {
    match result {
        Ok(result) => (result, Ok(())),
        Err(error) => {
            let of_sqlite = error.sqlite_error_code().is_some();
            let fault = Fault::from(error);
            (Err(fault.clone().into()), if of_sqlite { Err(fault) } else { Ok(()) })
        }
    }
}
