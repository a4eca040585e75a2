// SPDX-License-Identifier: Apache-2.0
// Tells how a user gets controllers that systemd does not delegate to users: systemd.resource-control(5), Delegate=.

/** Returns the command with which root delegates these controllers, in addition to systemd's default ones, to users. */
export function delegateCommand(missing: readonly string[], uid: number): string {
  const controllers = [...new Set(['cpu', 'cpuset', 'io', 'memory', 'pids', ...missing])].join(' ')
  const directory = '/etc/systemd/system/user@.service.d'
  return `as root: mkdir -p ${directory}; printf '[Service]\\nDelegate=${controllers}\\n' >${directory}/delegate.conf; systemctl daemon-reload; systemctl restart user@${uid} (which ends what that user's systemd runs)`
}
