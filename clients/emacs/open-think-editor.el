;;; open-think-editor.el --- What Helm can do in Emacs  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; The four skills that every editor offers: open a file, read the selection,
;; list diagnostics, apply an edit.  Lines count from 1.  They reach the files
;; of the user's project and those that are open, and never ask anything,
;; because Emacs waits for them.

;;; Code:

(require 'flymake)
(require 'project)
(require 'open-think-skills)

(defcustom open-think-offer-editor-skills t
  "Whether Helm may open files, read the selection and diagnostics, and edit.
Edits are held until you approve them, unless the mode is \"auto\"."
  :type 'boolean
  :group 'open-think
  :set (lambda (symbol value)
         (set-default symbol value)
         (when (fboundp 'open-think--settle-editor-skills)
           (open-think--settle-editor-skills)))
  :initialize #'custom-initialize-default)

(defconst open-think--most-diagnostics 500
  "Diagnostics that are told at once.")

(defconst open-think--editor-skills
  (let ((path '(:type "string" :description "Relative to the project, or absolute."))
        (text '(:type "string")))
    `(("editor-open-file" open-think--open-file nil
       "Shows a file of the project in the user's editor, at a line if one is given."
       (:path ,path :line (:type "integer" :minimum 1)) ["path"])
      ("editor-read-selection" open-think--read-selection nil
       "Reads what the user has selected in the editor, and tells in which file and lines it is."
       ,(make-hash-table) [])
      ("editor-list-diagnostics" open-think--list-diagnostics nil
       "Lists the errors and warnings that the editor shows, of one file or of all."
       (:path ,path) [])
      ("editor-apply-edit" open-think--apply-edit t
       "Replaces a text that stands exactly once in a file of the project.  The user can undo it."
       (:path ,path :oldText ,text :newText ,text) ["path" "oldText" "newText"])))
  "The skills: id, handler, danger, description, properties and required ones.")

(defun open-think--settle-editor-skills ()
  "Offer the skills of the editor, or take them back, as the user wants."
  (pcase-dolist (`(,id ,handler ,dangerous ,description ,properties ,required) open-think--editor-skills)
    (if open-think-offer-editor-skills
        (open-think-register-skill id
          :description description
          :schema `(:type "object" :properties ,properties :required ,required :additionalProperties :json-false)
          :dangerous dangerous
          :handler handler)
      (open-think-unregister-skill id))))

(defun open-think--editor-buffer ()
  "The buffer that the user works in."
  (let ((buffers (cons (window-buffer (selected-window)) (buffer-list))))
    (or (seq-find #'open-think--is-work buffers)
        (seq-find #'buffer-file-name buffers)
        (error "No file is open in Emacs"))))

(defun open-think--is-work (buffer)
  "Tell whether BUFFER visits a file and is on the screen."
  (and (buffer-file-name buffer) (get-buffer-window buffer t)))

(defun open-think--root ()
  "The folder of the user's project."
  (let ((buffer (ignore-errors (open-think--editor-buffer))))
    (with-current-buffer (or buffer (current-buffer))
      (let ((project (project-current)))
        (file-truename (if project (project-root project) default-directory))))))

(defun open-think--told-path (file)
  "FILE as Helm is told of it."
  (let ((root (open-think--root)))
    (if (and file (file-in-directory-p file root))
        (file-relative-name (file-truename file) root)
      file)))

(defun open-think--file (path)
  "The file that Helm means by PATH, if it is for Helm to reach."
  (unless (stringp path)
    (error "A path is needed"))
  (let* ((root (open-think--root))
         (file (expand-file-name path root)))
    (cond ((file-remote-p file) (error "%s is on another machine" path))
          ((not (file-regular-p file)) (error "There is no file %s" file))
          ((find-buffer-visiting file) file)
          ;; What is written there may be run by Git.
          ((member ".git" (split-string (file-truename file) "/")) (error "%s is a file of Git's" path))
          ((file-in-directory-p file root) file)
          (t (error "%s is not in the project %s, and is not open" path root)))))

(defun open-think--visit (path)
  "The buffer of the file at PATH, without any question."
  (let ((enable-local-variables :safe)
        (large-file-warning-threshold nil)
        (vc-follow-symlinks t))
    (find-file-noselect (open-think--file path) t)))

(defun open-think--open-file (input)
  "Show the file that INPUT names, in another window than the session's."
  (let* ((line (plist-get input :line))
         (buffer (open-think--visit (plist-get input :path)))
         (window (display-buffer buffer)))
    (with-current-buffer buffer
      (let ((shown (when line (min (max 1 line) (line-number-at-pos (point-max) t)))))
        (when shown
          (widen)
          (goto-char (point-min))
          (forward-line (1- shown))
          (when window
            (set-window-point window (point))))
        `(:path ,(open-think--told-path buffer-file-name) ,@(when shown (list :line shown)))))))

(defun open-think--read-selection (_input)
  "Tell what is selected, and where."
  (with-current-buffer (open-think--editor-buffer)
    (let* ((selected (region-active-p))
           (start (if selected (region-beginning) (point)))
           (end (if selected (region-end) (point))))
      (list :path (open-think--told-path buffer-file-name)
            :languageId (open-think--language)
            :text (buffer-substring-no-properties start end)
            :startLine (line-number-at-pos start t)
            :endLine (open-think--last-line start end)))))

(defun open-think--language ()
  "The language of the current buffer."
  (replace-regexp-in-string "\\(-ts\\)?-mode\\'" "" (symbol-name major-mode)))

(defun open-think--last-line (start end)
  "The last line of which something is between START and END."
  (line-number-at-pos (if (and (> end start) (eq (char-before end) ?\n)) (1- end) end) t))

(defun open-think--list-diagnostics (input)
  "Tell what Flymake has found, in the file that INPUT names or in all."
  (let* ((path (plist-get input :path))
         (buffers (if path
                      (list (find-buffer-visiting (open-think--file path)))
                    (seq-filter #'buffer-file-name (buffer-list))))
         (all (mapcan #'open-think--diagnostics-of (delq nil buffers))))
    (list :diagnostics (vconcat (seq-take all open-think--most-diagnostics)))))

(defun open-think--diagnostics-of (buffer)
  "What Flymake has found in BUFFER."
  (with-current-buffer buffer
    (when (bound-and-true-p flymake-mode)
      (mapcar (lambda (diagnostic)
                (let ((source (flymake-diagnostic-backend diagnostic)))
                  `( :path ,(open-think--told-path buffer-file-name)
                     :line ,(line-number-at-pos (flymake-diagnostic-beg diagnostic) t)
                     :severity ,(open-think--severity (flymake-diagnostic-type diagnostic))
                     :message ,(flymake-diagnostic-text diagnostic)
                     ,@(when (and source (symbolp source)) (list :source (symbol-name source))))))
              (flymake-diagnostics)))))

(defun open-think--severity (type)
  "What a diagnostic of Flymake's TYPE is called elsewhere."
  (pcase (get type 'flymake-category)
    ('flymake-error "error")
    ('flymake-warning "warning")
    ('flymake-note "information")
    (_ (pcase type (:error "error") (:warning "warning") (_ "information")))))

(defun open-think--apply-edit (input)
  "Replace the old text of INPUT by the new one, in the file that it names.
The file is saved if there was nothing unsaved in it."
  (let ((old (plist-get input :oldText))
        (new (plist-get input :newText))
        ;; A lock of another Emacs would ask.
        (create-lockfiles nil))
    (with-current-buffer (open-think--visit (plist-get input :path))
      (unless (verify-visited-file-modtime)
        (error "The file has changed on disk since Emacs read it"))
      (when buffer-read-only
        (error "The buffer is read-only"))
      (save-excursion
        (save-restriction
          (widen)
          (goto-char (point-min))
          (let ((case-fold-search nil)
                (clean (not (buffer-modified-p))))
            (unless (and (stringp old) (not (string-empty-p old)) (search-forward old nil t))
              (error "The oldText is not in the file; read it again"))
            (let ((start (match-beginning 0)))
              (goto-char (1+ start))
              (when (search-forward old nil t)
                (error "The oldText is in the file more than once; give more of what is around it"))
              (undo-boundary)
              (goto-char start)
              (delete-region start (+ start (length old)))
              (insert new)
              (undo-boundary)
              (when clean
                (let ((save-silently t))
                  (basic-save-buffer)))
              (list :path (open-think--told-path buffer-file-name)
                    :line (line-number-at-pos start t)
                    :saved (if clean t :json-false)))))))))

(open-think--settle-editor-skills)

(provide 'open-think-editor)
;;; open-think-editor.el ends here
