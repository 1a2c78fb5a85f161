;;; editor.el --- The skills of the editor, called by Helm  -*- lexical-binding: t; no-byte-compile: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Code:

(require 'home)

(defmacro editor-test (name &rest body)
  "Define the test NAME, with BODY where fruit.txt of a project is on the screen."
  (declare (indent 1) (debug t))
  `(home-test ,name
     (let* ((project-find-functions nil)
            (default-directory (file-name-as-directory (expand-file-name "project" home-folder)))
            (file (expand-file-name "fruit.txt")))
       (make-directory default-directory)
       (write-region "quince\nmedlar\nsloe\n" nil file nil 'silent)
       (let ((buffer (find-file-noselect file)))
         (unwind-protect
             (save-window-excursion
               (switch-to-buffer buffer)
               ,@body)
           (with-current-buffer buffer
             (set-buffer-modified-p nil))
           (kill-buffer buffer))))))

(defun editor-call (skill input)
  "Have Helm call SKILL with INPUT, as JSON text, and give what it got, as text."
  (let ((buffer (open-think--buffer "emacs")))
    (save-window-excursion
      (with-current-buffer buffer
        (setq open-think--mode "auto"))
      (open-think-ask (format "call %s %s" skill input))
      (home-until-idle buffer))
    (with-temp-buffer
      (insert (home-text buffer))
      (goto-char (point-max))
      (unless (re-search-backward (concat "^[✓✗] " skill ".*\n  \\(.*\\)") nil t)
        (ert-fail (list skill "did not run" (home-text buffer))))
      (match-string 1))))

(editor-test a-file-is-opened-at-a-line
  (should (equal "{\"path\":\"fruit.txt\",\"line\":2}" (editor-call "editor-open-file" "{\"path\":\"fruit.txt\",\"line\":2}")))
  (should (looking-at "medlar"))
  (should (equal "{\"path\":\"fruit.txt\",\"line\":4}" (editor-call "editor-open-file" "{\"path\":\"fruit.txt\",\"line\":99}")))
  (should (string-prefix-p "There is no file" (editor-call "editor-open-file" "{\"path\":\"nuts.txt\"}")))
  (write-region "" nil (expand-file-name "outside.txt" home-folder) nil 'silent)
  (should (string-search "is not in the project" (editor-call "editor-open-file" "{\"path\":\"../outside.txt\"}")))
  (should (string-search "is on another machine" (editor-call "editor-open-file" "{\"path\":\"/ssh:nowhere:/etc/hosts\"}"))))

(editor-test the-selection-is-read
  (text-mode)
  (goto-char (point-min))
  (forward-line 1)
  (should (equal "{\"path\":\"fruit.txt\",\"languageId\":\"text\",\"text\":\"\",\"startLine\":2,\"endLine\":2}"
                 (editor-call "editor-read-selection" "{}")))
  (transient-mark-mode)
  (push-mark (point-min) t t)
  (should (equal "{\"path\":\"fruit.txt\",\"languageId\":\"text\",\"text\":\"quince\\n\",\"startLine\":1,\"endLine\":1}"
                 (editor-call "editor-read-selection" "{}"))))

(defun editor-complain (report &rest _)
  "A backend of Flymake's that tells REPORT of the second line."
  (save-excursion
    (goto-char (point-min))
    (forward-line 1)
    (funcall report (list (flymake-make-diagnostic (current-buffer) (point) (line-end-position) :warning "too sour")))))

(editor-test diagnostics-are-listed
  (let ((expected "{\"diagnostics\":[{\"path\":\"fruit.txt\",\"line\":2,\"severity\":\"warning\",\"message\":\"too sour\",\"source\":\"editor-complain\"}]}"))
    (should (equal "{\"diagnostics\":[]}" (editor-call "editor-list-diagnostics" "{\"path\":\"fruit.txt\"}")))
    (add-hook 'flymake-diagnostic-functions #'editor-complain nil t)
    (flymake-mode)
    (flymake-start)
    (home-until "Flymake has looked" #'flymake-diagnostics)
    (should (equal expected (editor-call "editor-list-diagnostics" "{\"path\":\"fruit.txt\"}")))
    (should (equal expected (editor-call "editor-list-diagnostics" "{}")))))

(editor-test an-edit-is-held-applied-and-saved
  (open-think-ask "call editor-apply-edit {\"path\":\"fruit.txt\",\"oldText\":\"medlar\",\"newText\":\"Mispel\"}")
  (home-until-idle)
  (should (equal "quince\nmedlar\nsloe\n" (buffer-string)))
  (open-think-approve)
  (home-until-idle)
  (should (equal "quince\nMispel\nsloe\n" (buffer-string)))
  (should-not (buffer-modified-p))
  (should (string-search "{\"path\":\"fruit.txt\",\"line\":2,\"saved\":true}" (home-text (open-think--buffer "emacs"))))
  (should (equal "quince\nMispel\nsloe\n" (with-temp-buffer (insert-file-contents file) (buffer-string))))
  (undo)
  (should (equal "quince\nmedlar\nsloe\n" (buffer-string))))

(editor-test an-edit-that-is-not-clear-changes-nothing
  (goto-char (point-max))
  (insert "sloe\n")
  (should (string-search "more than once" (editor-call "editor-apply-edit" "{\"path\":\"fruit.txt\",\"oldText\":\"sloe\",\"newText\":\"x\"}")))
  (should (string-search "is not in the file" (editor-call "editor-apply-edit" "{\"path\":\"fruit.txt\",\"oldText\":\"Quince\",\"newText\":\"x\"}")))
  (should (equal "{\"path\":\"fruit.txt\",\"line\":1,\"saved\":false}"
                 (editor-call "editor-apply-edit" "{\"path\":\"fruit.txt\",\"oldText\":\"quince\",\"newText\":\"x\"}")))
  (should (equal "x\nmedlar\nsloe\nsloe\n" (buffer-string)))
  (write-region "new\n" nil file nil 'silent)
  (set-file-times file (time-add nil 60))
  (should (string-search "changed on disk" (editor-call "editor-apply-edit" "{\"path\":\"fruit.txt\",\"oldText\":\"x\",\"newText\":\"y\"}"))))

(editor-test files-of-git-are-left-alone-unless-they-are-open
  (make-directory ".git/hooks" t)
  (write-region "one\n" nil ".git/hooks/x" nil 'silent)
  (make-symbolic-link ".git/hooks" "hooks")
  (dolist (path '(".git/hooks/x" "hooks/x"))
    (should (string-search "is a file of Git" (editor-call "editor-open-file" (format "{\"path\":\"%s\"}" path))))
    (should (string-search "is a file of Git"
                           (editor-call "editor-apply-edit" (format "{\"path\":\"%s\",\"oldText\":\"one\",\"newText\":\"two\"}" path)))))
  (let ((buffer (find-file-noselect ".git/hooks/x")))
    (unwind-protect
        (should (equal "{\"path\":\".git/hooks/x\"}" (editor-call "editor-open-file" "{\"path\":\".git/hooks/x\"}")))
      (kill-buffer buffer))))

(editor-test what-is-switched-off-is-not-offered
  (let ((offered (lambda ()
                   (seq-filter (lambda (id) (string-prefix-p "editor-" id))
                               (mapcar (lambda (row) (plist-get row :id))
                                       (plist-get (open-think--fetch "skills.list" nil) :skills))))))
    (should (= 4 (length (funcall offered))))
    (unwind-protect
        (progn
          (customize-set-variable 'open-think-offer-editor-skills nil)
          (should (= 0 (length (funcall offered)))))
      (customize-set-variable 'open-think-offer-editor-skills t))
    (should (= 4 (length (funcall offered))))))

(defun editor-offer (id output)
  "Offer the skill ID, which gives OUTPUT."
  (open-think-register-skill id :description "Says who was asked." :dangerous nil :handler (lambda (_) output)))

(home-test of-two-emacsen-each-gets-its-own-skill
  (editor-offer "emacs-who" "first")
  (home-daemon)
  (let* ((said "")
         (program `(progn
                     (setq open-think-command ',open-think-command)
                     (editor-offer "emacs-who" "second")
                     (princ (editor-call "emacs-who" "{}"))
                     ;; It stays until it is ended.
                     (read-string "")))
         (second (make-process :name "second" :connection-type 'pipe :noquery t
                               :command (list (expand-file-name invocation-name invocation-directory)
                                              "-Q" "--batch" "-L" home-package
                                              "-L" (expand-file-name "tests" home-package) "-l" "editor"
                                              "--eval" (prin1-to-string program))
                               :filter (lambda (_ text) (setq said (concat said text))))))
    (unwind-protect
        (progn
          (home-until "the second has asked" (lambda () (string-search "\"second\"" said)))
          (should (equal "\"first\"" (editor-call "emacs-who" "{}")))
          (should (process-live-p second)))
      (delete-process second)
      (open-think-unregister-skill "emacs-who"))))

(home-test an-id-of-the-daemons-own-is-refused-and-the-others-are-offered
  (editor-offer "emacs-one" "one")
  (editor-offer "emacs-two" "two")
  (unwind-protect
      (progn
        (home-daemon)
        (should (string-prefix-p "open-think: Helm does not get read-note: "
                                 (car (home-messages (editor-offer "read-note" "not this") (home-daemon)))))
        (open-think-unregister-skill "read-note")
        (signal-process open-think--process 'SIGKILL)
        (home-until "the loss is seen" (lambda () (not open-think--connection)))
        (home-run "stop" "--now")
        (write-region "[[skill]]\nid = \"emacs-one\"\ndescription = \"Came meanwhile.\"\ncommand = [\"/bin/cat\"]\n"
                      nil (expand-file-name ".config/open-think/config.toml" home-folder) t 'silent)
        (let ((told (home-messages (should (equal "\"two\"" (editor-call "emacs-two" "{}"))))))
          (should (= 1 (length told)))
          (should (string-prefix-p "open-think: Helm does not get emacs-one: " (car told)))))
    (dolist (id '("read-note" "emacs-one" "emacs-two"))
      (open-think-unregister-skill id))))

(home-test what-is-too-long-is-refused-and-the-rest-goes-on
  (let ((case nil))
    (open-think-register-skill "emacs-odd" :description "Odd." :dangerous nil
      :handler (lambda (_) (pcase case
                             ('long (make-string (* 20 1024 1024) ?x))
                             ('long-error (error "%s" (make-string (* 20 1024 1024) ?x)))
                             ('bytes "good \377 luck")
                             ('bytes-error (error "bad \377 luck"))
                             ('quit (signal 'quit nil)))))
    (unwind-protect
        (progn
          (setq case 'long)
          (should (string-search "and may have 16777216" (editor-call "emacs-odd" "{}")))
          (setq case 'long-error)
          (should (string-search "xxxx" (editor-call "emacs-odd" "{}")))
          (setq case 'bytes)
          (should (equal "\"good \ufffd luck\"" (editor-call "emacs-odd" "{}")))
          (setq case 'bytes-error)
          (should (equal "bad \ufffd luck" (editor-call "emacs-odd" "{}")))
          (setq case 'quit)
          (should (string-search "Quit" (editor-call "emacs-odd" "{}"))))
      (open-think-unregister-skill "emacs-odd")))
  (open-think-ask (make-string (* 17 1024 1024) ?x))
  (home-until-idle)
  (should (= 1 (home-count "Error: It has ")))
  (home-ask "a \377 b")
  (home-leave)
  (open-think-sessions "emacs")
  (home-until-shown "You\na \ufffd b\n"))

(home-test a-null-character-is-read-as-a-sign
  (home-ask "call read-note {\"name\":\"a\\u0000b\\\\u0000c\"}" "auto")
  (should (string-search "a\u2400b\\\\u0000c" (home-text)))
  (should (equal "a\\u2400\\\\u0000" (open-think--without-null "a\\u0000\\\\u0000")))
  (dolist (cut '(("a\\" . "a") ("a\\u0" . "a") ("a\\u000" . "a") ("a\\u0000" . "a\\u0000") ("a\\\\u" . "a")))
    (should (equal (cdr cut) (open-think--whole (car cut))))))

(home-test large-inputs-and-outputs-pass
  (open-think-register-skill "emacs-large" :description "Much." :dangerous nil
    :handler (lambda (_) (make-string 900000 ?x)))
  (unwind-protect
      (let ((text (make-string 300000 ?y)))
        (open-think-ask (concat "call emacs-large {}\n" text))
        (home-until-idle)
        (should (string-search text (home-text)))
        (should (string-search "✓ emacs-large" (home-text)))
        (should (= 0 (home-count "Error"))))
    (open-think-unregister-skill "emacs-large")))

(home-test a-skill-of-the-users-own-is-called-and-its-error-is-told
  (open-think-register-skill "emacs-add"
    :description "Adds one." :dangerous nil
    :schema '(:type "object" :properties (:a (:type "integer")) :required ["a"])
    :handler (lambda (input) (if (= 13 (plist-get input :a)) (error "No luck today") (1+ (plist-get input :a)))))
  (unwind-protect
      (progn
        (should (equal "42" (editor-call "emacs-add" "{\"a\":41}")))
        (should (string-search "No luck today" (editor-call "emacs-add" "{\"a\":13}")))
        ;; What was lost is offered again.
        (let ((before (home-daemon)))
          (home-run "stop" "--now")
          (home-until-another before))
        (should (equal "5" (editor-call "emacs-add" "{\"a\":4}")))
        (signal-process open-think--process 'SIGKILL)
        (home-until "the loss is seen" (lambda () (not open-think--connection)))
        (should (equal "8" (editor-call "emacs-add" "{\"a\":7}"))))
    (open-think-unregister-skill "emacs-add")))

(provide 'editor)
;;; editor.el ends here
