"""Who this process is to others, and who others are to it: certificates, and the SPIFFE ids in them.

Owns what is shown and believed (`credentials`), how it changes while the process runs (`holder`), what a peer has
proven (`identity`), and the context in which a cell is asked (`context`). The sockets are others'.

SPEC: SPIFFE X509-SVID sections 2 and 5; RFC 8446 (TLS 1.3).
"""
