"""Object stores: folders there have copies on this machine, and jobs work on the copies.

What lies at an address such as s3://bucket/prices is fetched into a folder before a job reads it, and sent back when a
version is published. So no other room knows where a table lies. Delta's log alone is read and written in the store
itself, because it decides between publishers on several machines.
"""
