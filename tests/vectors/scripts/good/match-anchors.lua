-- expect: returns nil abc nil
return tostring(("xabc"):match("^abc")) .. " " .. ("xabc"):match("abc$") .. " " .. tostring(("abcx"):match("abc$"))
