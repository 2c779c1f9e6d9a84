//! What a client holds for longer than a place: long answers on their way to it, and bytes of long bodies.

use policy::client::ClientLimits;

use super::{ClientKey, Clients};

/// A long answer on its way, counted until this is dropped.
pub(crate) struct ClientStream {
    pub(super) clients: Clients,
    pub(super) keys: [Option<ClientKey>; 2],
}

/// What a long body holds of its account's share; free again when dropped.
pub(crate) struct AccountBytes {
    pub(super) clients: Clients,
    pub(super) account: Option<(ClientKey, ClientLimits)>,
    pub(super) bytes: u64,
}

impl AccountBytes {
    /// Whether so many more bytes may be held; they are counted if so.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let Some((client, limits)) = self.account else { return true };
        let mut state = self.clients.state();
        let held = state.bytes.get(&client).copied().unwrap_or_default().saturating_add(bytes);
        let has_room = held <= limits.body_bytes;
        if has_room {
            state.bytes.insert(client, held);
            self.bytes += bytes;
        }
        has_room
    }
}

impl Drop for AccountBytes {
    fn drop(&mut self) {
        let Some((client, _)) = self.account.filter(|_| self.bytes > 0) else { return };
        let mut state = self.clients.state();
        if let Some(held) = state.bytes.get_mut(&client) {
            *held -= self.bytes;
            if *held == 0 {
                state.bytes.remove(&client);
            }
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let mut state = self.clients.state();
        for client in self.keys.into_iter().flatten() {
            if let Some(streams) = state.streams.get_mut(&client) {
                *streams -= 1;
                if *streams == 0 {
                    state.streams.remove(&client);
                }
            }
        }
    }
}
