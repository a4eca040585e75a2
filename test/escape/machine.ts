// SPDX-License-Identifier: Apache-2.0
// Attempts on the machine itself: calls of root, and parts of the kernel with a history of holes.
import type { Attempt } from './attempt.ts'

const noFilter = 'takes no capability: only a filter refuses it'

export const machine: Attempt[] = [
  { what: 'reboot', words: 'reboot', control: 'outside' },
  { what: 'another kernel (kexec_load)', words: 'kexec', control: 'outside', absent: 'ENOSYS' },
  { what: 'another kernel (kexec_file_load)', words: 'kexec-file', control: 'outside', absent: 'ENOSYS' },
  { what: 'a module of the kernel (init_module)', words: 'module', control: 'outside', absent: 'ENOSYS' },
  { what: 'a module of the kernel (finit_module)', words: 'module-file', control: 'outside', absent: 'ENOSYS' },
  { what: 'a module taken away', words: 'module-away', control: 'outside', absent: 'ENOSYS' },
  { what: 'the time zone of the kernel', words: 'time-zone', control: 'outside' },
  { what: 'the clock (adjtimex)', words: 'clock', control: 'outside' },
  { what: 'the clock (clock_adjtime)', words: 'clock-adjust', control: 'outside' },
  { what: 'process accounting', words: 'accounting', control: 'outside' },
  { what: 'swap', words: 'swap', control: 'outside' },
  { what: 'swap taken away', words: 'swap-off', control: 'outside' },
  { what: "the console's level of messages", words: 'log', control: 'outside' },
  { what: "the kernel's messages, with its addresses", words: 'log-read', control: 'outside' },
  { what: 'ports of the hardware (ioperm)', words: 'ports', control: 'outside', absent: 'ENOSYS' },
  { what: 'all ports (iopl)', words: 'all-ports', control: 'outside', absent: 'ENOSYS' },
  { what: 'a BPF program that traces the kernel', words: 'bpf', control: 'outside' },
  { what: 'a BPF map', words: 'bpf-map', control: 'outside' },
  { what: 'events of a whole processor (perf_event_open)', words: 'perf', control: 'outside' },
  { what: 'io_uring', words: 'io-uring', control: 'outside', open: { unfiltered: noFilter } },
  {
    what: 'faults of the kernel held by a user (userfaultfd)',
    words: 'userfaultfd',
    control: 'outside',
    absent: 'ENOSYS',
  },
  {
    what: 'an old personality: readable memory executes',
    words: 'personality',
    control: 'outside',
    open: { unfiltered: noFilter },
  },
  {
    what: "a key in root's keyring, which is one for the machine",
    words: 'key',
    control: 'outside',
    open: { unfiltered: `keyrings have no namespace, and root is root of the machine; ${noFilter}` },
  },
  {
    what: 'keyrings at all',
    words: 'keyring',
    control: 'outside',
    open: { unfiltered: noFilter },
  },
  { what: 'the name of the host', words: 'host-name', control: 'outside' },
  { what: 'more weight than others (nice)', words: 'nice', control: 'outside' },
  { what: 'real time for the disk (ioprio)', words: 'io-priority', control: 'outside' },
  { what: 'real time for the processor (SCHED_FIFO)', words: 'fifo', control: 'outside' },
  { what: 'the terminal taken from others (vhangup)', words: 'hang-up', control: 'outside' },
]
