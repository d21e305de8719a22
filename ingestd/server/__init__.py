"""The embedded SFTP server: where there is no OpenSSH, vendors push to the daemon itself.

Law: a file is in a feed's inbox only if a client closed it. Whatever else becomes of an upload, it is gone.
"""
