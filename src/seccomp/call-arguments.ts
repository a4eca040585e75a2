// SPDX-License-Identifier: Apache-2.0
// Formats the arguments of those system calls that profiles often refuse: texts, numbers and names of flags. Other
// calls are reported only by name. Pure.
import { quote } from '../errors/errors.ts'
import { syscallNumbers } from './arch.ts'

/** Names of flags for each kind of argument. Bits without a name are printed as a number. */
const flagSets: { [kind: string]: { [name: string]: number } } = {
  clone: {
    CLONE_VM: 0x100,
    CLONE_FS: 0x200,
    CLONE_FILES: 0x400,
    CLONE_SIGHAND: 0x800,
    CLONE_VFORK: 0x4000,
    CLONE_THREAD: 0x1_0000,
    CLONE_NEWTIME: 0x80,
    CLONE_NEWNS: 0x2_0000,
    CLONE_NEWCGROUP: 0x200_0000,
    CLONE_NEWUTS: 0x400_0000,
    CLONE_NEWIPC: 0x800_0000,
    CLONE_NEWUSER: 0x1000_0000,
    CLONE_NEWPID: 0x2000_0000,
    CLONE_NEWNET: 0x4000_0000,
  },
  mount: {
    MS_RDONLY: 1,
    MS_NOSUID: 2,
    MS_NODEV: 4,
    MS_NOEXEC: 8,
    MS_REMOUNT: 32,
    MS_BIND: 4096,
    MS_MOVE: 8192,
    MS_REC: 16_384,
    MS_PRIVATE: 0x4_0000,
    MS_SLAVE: 0x8_0000,
    MS_SHARED: 0x10_0000,
  },
  umount: { MNT_FORCE: 1, MNT_DETACH: 2, MNT_EXPIRE: 4, UMOUNT_NOFOLLOW: 8 },
  open: {
    O_WRONLY: 1,
    O_RDWR: 2,
    O_CREAT: 0o100,
    O_EXCL: 0o200,
    O_TRUNC: 0o1000,
    O_APPEND: 0o2000,
    O_NONBLOCK: 0o4000,
    O_CLOEXEC: 0o2_000_000,
  },
}

const families: { [number: number]: string } = {
  1: 'AF_UNIX',
  2: 'AF_INET',
  10: 'AF_INET6',
  16: 'AF_NETLINK',
  17: 'AF_PACKET',
  38: 'AF_ALG',
  40: 'AF_VSOCK',
  44: 'AF_XDP',
}
const socketTypes = ['', 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', 'SOCK_RDM', 'SOCK_SEQPACKET']

/**
 * The kind of each argument by system call: text, int, hex, octal, family, socketType, or a set of flags. `-` means an
 * address, or an argument that is not printed.
 */
const shapes: { [call: string]: string } = {
  mount: 'text text text mount',
  umount2: 'text umount',
  pivot_root: 'text text',
  chroot: 'text',
  unshare: 'clone',
  setns: 'int clone',
  clone: 'clone',
  fsopen: 'text hex',
  open_tree: 'int text hex',
  move_mount: 'int text int text hex',
  mount_setattr: 'int text hex',
  fspick: 'int text hex',
  open: 'text open octal',
  openat: 'int text open octal',
  creat: 'text octal',
  access: 'text octal',
  faccessat: 'int text octal',
  faccessat2: 'int text octal',
  stat: 'text',
  lstat: 'text',
  newfstatat: 'int text',
  statx: 'int text',
  readlink: 'text',
  readlinkat: 'int text',
  mkdir: 'text octal',
  mkdirat: 'int text octal',
  rmdir: 'text',
  unlink: 'text',
  unlinkat: 'int text hex',
  rename: 'text text',
  renameat: 'int text int text',
  renameat2: 'int text int text hex',
  link: 'text text',
  symlink: 'text text',
  chmod: 'text octal',
  fchmodat: 'int text octal',
  chown: 'text int int',
  chdir: 'text',
  truncate: 'text int',
  mknod: 'text octal hex',
  mknodat: 'int text octal hex',
  execve: 'text',
  execveat: 'int text',
  name_to_handle_at: 'int text',
  open_by_handle_at: 'int - open',
  swapon: 'text hex',
  swapoff: 'text',
  acct: 'text',
  quotactl: 'hex text int',
  sethostname: 'text',
  setdomainname: 'text',
  add_key: 'text text - int int',
  request_key: 'text text text int',
  keyctl: 'int int int',
  socket: 'family socketType int',
  socketpair: 'family socketType int',
  ioctl: 'int hex',
  prctl: 'int hex',
  ptrace: 'int int',
  kill: 'int int',
  bpf: 'int',
  io_uring_setup: 'int',
  personality: 'hex',
  perf_event_open: '- int int int hex',
  process_vm_readv: 'int',
  process_vm_writev: 'int',
  pidfd_getfd: 'int int hex',
  kcmp: 'int int int',
  finit_module: 'int text hex',
  delete_module: 'text hex',
  init_module: '- int text',
  reboot: 'hex hex hex',
  syslog: 'int - int',
  iopl: 'int',
  userfaultfd: 'hex',
  setuid: 'int',
  setgid: 'int',
}

const shapeOf = (call: string) => (Object.hasOwn(shapes, call) ? shapes[call]!.split(' ') : [])

/**
 * Tells the listener which arguments to read: for each call its number and a mask. Bit n is set if argument n is a
 * text, bit 8 + n if it is a number.
 */
export function argumentMasks(machine: 'x86_64' | 'aarch64'): number[] {
  const numbers = syscallNumbers(machine)
  return Object.keys(shapes).flatMap((call) => {
    const number = numbers.get(call)
    if (number === undefined) return []
    const bits = shapeOf(call).map((kind, i) => (kind === 'text' ? 1 << i : kind === '-' ? 0 : 1 << (8 + i)))
    return [number, bits.reduce((all, bit) => all | bit, 0)]
  })
}

/** Formats a call's arguments as `"tmpfs", "/mnt", …`. Escapes texts, because they come from the untrusted program. */
export function formatArguments(
  call: string,
  args: readonly bigint[],
  texts: ReadonlyMap<number, string | undefined>,
): string {
  return shapeOf(call)
    .map((kind, i) => (kind === 'text' ? formatText(args[i]!, texts.get(i)) : formatNumber(kind, args[i]!)))
    .join(', ')
}

function formatText(address: bigint, text: string | undefined): string {
  if (address === 0n) return 'NULL'
  if (text === undefined) return '?'
  const quoted = quote(text)
  return quoted === text ? `"${text}"` : quoted
}

function formatNumber(kind: string, value: bigint): string {
  const int = Number(BigInt.asIntN(32, value))
  switch (kind) {
    case '-':
      return '…'
    case 'int':
      return String(int)
    case 'octal':
      return `0${(int >>> 0).toString(8)}`
    case 'family':
      return families[int] ?? String(int)
    case 'socketType':
      return socketTypes[int & 0xf] || String(int)
    case 'hex':
      return `0x${value.toString(16)}`
    default:
      return formatFlags(flagSets[kind]!, value)
  }
}

function formatFlags(set: { [name: string]: number }, value: bigint): string {
  let rest = value
  const names = Object.entries(set).flatMap(([name, bit]) => {
    if ((value & BigInt(bit)) === 0n) return []
    rest &= ~BigInt(bit)
    return [name]
  })
  if (rest !== 0n || names.length === 0) names.push(rest === 0n ? '0' : `0x${rest.toString(16)}`)
  return names.join('|')
}
