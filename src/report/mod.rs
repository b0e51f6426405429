//! The only writer: live, plain, json.
