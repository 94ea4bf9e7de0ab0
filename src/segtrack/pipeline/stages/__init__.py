"""The stages, each declared in one module; what they make up together:

    prepare --> train --> evaluate                                              images
       |          |
       |          +--> track: detect > associate > score > results.json > render    video
       |          |      |
       |          +--> segment    somebody's own pictures
       |          |
     push ...     +--> review ... pull --> next version of the data set          labels
       |
       +--> suspect > recheck    labels that are probably wrong, by networks of their own
       |
       +--> select > push        images to annotate next

A module imports what does its work as a package (``from segtrack import model``) or inside of a
function, so that knowing the stages costs nothing.
"""
