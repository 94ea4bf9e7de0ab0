"""Pages for people in a browser: projects, their files, and each picture or video to correct.

Plain pages that the server renders, with a stylesheet and a script that load nothing from anywhere
else. Whoever has the token, which is part of every address, may use them.
"""
