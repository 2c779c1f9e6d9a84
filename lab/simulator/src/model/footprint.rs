//! What the copies of a plan hold in memory, by counting.

use super::driver::Driver;
use super::system::System;

impl System {
    /// Bytes of processes, of the components in them and of their edges: what grows with the copies, and not with what is under
    /// way.
    pub fn held_bytes(&self) -> usize {
        let names: usize = self.processes.iter().map(|process| process.name.capacity()).sum();
        let drivers = self.processes.iter().filter(|process| process.has_driver()).count();
        let edges: usize = self.connections.iter().map(|connection| connection.edge.held_bytes()).sum();
        size_of_val(self.processes.as_slice())
            + names
            + drivers * size_of::<Driver>()
            + size_of_val(self.instances.as_slice())
            + size_of_val(self.routes.as_slice())
            + size_of_val(self.connections.as_slice())
            + edges
            + size_of_val(self.databases.as_slice())
    }
}
