"""The text files of MOTChallenge, KITTI and MOTS as arrays."""
