//! Memory for the workspaces of calls.
use truing_core::matrix::Arena;

/// Host memory for workspaces, aligned as calls want it. It grows where a call needs more and stays for the next one.
#[derive(Debug, Default)]
pub struct Space(Vec<u8>);
impl Space {
    /// So many bytes; what they hold is whatever is left in them.
    pub fn bytes(&mut self, n: usize) -> &mut [u8] {
        let need = n.saturating_add(Arena::ALIGN);
        if self.0.len() < need {
            // the old ones go first, and are not copied
            self.0 = Vec::new();
            self.0.resize(need, 0);
        }
        let at = self.0.as_ptr().align_offset(Arena::ALIGN);
        &mut self.0[at..at + n]
    }
}
