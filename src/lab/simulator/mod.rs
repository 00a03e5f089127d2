//! The simulator: random stories on the real engine, judged by a model of a few dozen lines.
