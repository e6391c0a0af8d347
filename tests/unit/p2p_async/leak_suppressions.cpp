// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A look-up that nobody waits for any more goes on in a background thread, and the process may end meanwhile.
// What the C library's resolver has allocated by then is no leak of ours.

// NOLINTNEXTLINE: LeakSanitizer looks for this name.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:__res_context_send\n"; }
