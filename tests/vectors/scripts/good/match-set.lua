-- expect: returns ]a- xyz
return ("..]a-"):match("[]a%-]+") .. " " .. ("abcxyz"):match("[^a-c]+")
