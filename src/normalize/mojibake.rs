//! Text that was decoded with the wrong table, where that is certain.
